-- CDC promotion: staging to Stage

INSERT INTO [UDM_Stage].[DNA].[ACCT_cdc] ([ACCTNBR], [Order], [VANISHED], _key_hash, _row_hash, _hash_layout, _extracted_at, _cdc_operation, _cdc_valid_from, _cdc_valid_to, _cdc_is_current, _cdc_batch_id)
 SELECT [UDM_Stage].[DNA].[ACCT_cdc].[ACCTNBR], [UDM_Stage].[DNA].[ACCT_cdc].[Order], [UDM_Stage].[DNA].[ACCT_cdc].[VANISHED], [UDM_Stage].[DNA].[ACCT_cdc]._key_hash, [UDM_Stage].[DNA].[ACCT_cdc]._row_hash, [UDM_Stage].[DNA].[ACCT_cdc]._hash_layout, :param_1 AS anon_1, 'D', :param_1 AS anon__1, :param_1 AS anon__2, 0 AS anon_2, :param_2 AS anon_3
 FROM [UDM_Stage].[DNA].[ACCT_cdc]
 JOIN [UDM_Stage].[DNA].[_staging_ACCT_7]
 ON [UDM_Stage].[DNA].[ACCT_cdc]._key_hash = [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_is_current = 1
 AND [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation = 'D';

UPDATE [UDM_Stage].[DNA].[ACCT_cdc]
 SET _cdc_valid_to=:_cdc_valid_to, _cdc_is_current=0
 FROM [UDM_Stage].[DNA].[ACCT_cdc], [UDM_Stage].[DNA].[_staging_ACCT_7]
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_is_current = 1
 AND [UDM_Stage].[DNA].[ACCT_cdc]._key_hash = [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash
 AND [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation != 'I';

INSERT INTO [UDM_Stage].[DNA].[ACCT_cdc] ([ACCTNBR], [Order], _key_hash, _row_hash, _hash_layout, _extracted_at, _cdc_operation, _cdc_valid_from, _cdc_valid_to, _cdc_is_current, _cdc_batch_id)
 SELECT [UDM_Stage].[DNA].[_staging_ACCT_7].[ACCTNBR], [UDM_Stage].[DNA].[_staging_ACCT_7].[Order], [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._row_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._hash_layout, :param_1 AS anon_1, [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation, :param_1 AS anon__1, NULL AS anon_2, 1 AS anon_3, :param_2 AS anon_4
 FROM [UDM_Stage].[DNA].[_staging_ACCT_7]
 WHERE [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation IN ('I', 'U');

-- SCD2 promotion: staging to Bronze

INSERT INTO [UDM_Bronze].[DNA].[ACCT_scd2_python] ([ACCTNBR], [Order], _key_hash, [UdmHash], _hash_layout, [UdmEffectiveDateTime], [UdmActiveFlag], [UdmScd2Operation], _batch_id)
 SELECT changes.[ACCTNBR], changes.[Order], changes._key_hash, changes._row_hash, changes._hash_layout, :param_1 AS anon_1, CASE WHEN (changes._cdc_operation = 'U') THEN 0 ELSE 1 END AS anon_2, CASE WHEN (changes._cdc_operation = 'U') THEN 'U' WHEN (EXISTS (SELECT *
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python] AS before
 WHERE before._key_hash = changes._key_hash
 AND before.[UdmScd2Operation] = 'D')) THEN 'R' ELSE 'I' END AS anon_3, :param_2 AS anon_4
 FROM (SELECT [UDM_Stage].[DNA].[_staging_ACCT_7].[ACCTNBR] AS [ACCTNBR], [UDM_Stage].[DNA].[_staging_ACCT_7].[Order] AS [Order], [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash AS _key_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._row_hash AS _row_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._hash_layout AS _hash_layout, [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation AS _cdc_operation
 FROM [UDM_Stage].[DNA].[_staging_ACCT_7]) AS changes
 WHERE changes._cdc_operation != 'D';

UPDATE [UDM_Bronze].[DNA].[ACCT_scd2_python]
 SET [UdmEndDateTime]=:UdmEndDateTime, [UdmActiveFlag]=0, [UdmScd2Operation]=CASE WHEN (changes._cdc_operation = 'D') THEN 'D' ELSE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmScd2Operation] END, _end_batch_id=:_end_batch_id
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python], (SELECT [UDM_Stage].[DNA].[_staging_ACCT_7].[ACCTNBR] AS [ACCTNBR], [UDM_Stage].[DNA].[_staging_ACCT_7].[Order] AS [Order], [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash AS _key_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._row_hash AS _row_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._hash_layout AS _hash_layout, [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation AS _cdc_operation
 FROM [UDM_Stage].[DNA].[_staging_ACCT_7]) AS changes
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 1
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash = changes._key_hash
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python]._batch_id != :_end_batch_id;

UPDATE [UDM_Bronze].[DNA].[ACCT_scd2_python]
 SET [UdmActiveFlag]=1
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python]._batch_id = :param_1
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 0
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime] IS NULL;

-- SCD2 promotion of a first load

INSERT INTO [UDM_Bronze].[DNA].[ACCT_scd2_python] ([ACCTNBR], [Order], _key_hash, [UdmHash], _hash_layout, [UdmEffectiveDateTime], [UdmActiveFlag], [UdmScd2Operation], _batch_id)
 SELECT changes.[ACCTNBR], changes.[Order], changes._key_hash, changes._row_hash, changes._hash_layout, :param_1 AS anon_1, 1 AS anon_2, 'I', :param_2 AS anon_3
 FROM (SELECT [UDM_Stage].[DNA].[_staging_ACCT_7].[ACCTNBR] AS [ACCTNBR], [UDM_Stage].[DNA].[_staging_ACCT_7].[Order] AS [Order], [UDM_Stage].[DNA].[_staging_ACCT_7]._key_hash AS _key_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._row_hash AS _row_hash, [UDM_Stage].[DNA].[_staging_ACCT_7]._hash_layout AS _hash_layout, [UDM_Stage].[DNA].[_staging_ACCT_7]._cdc_operation AS _cdc_operation
 FROM [UDM_Stage].[DNA].[_staging_ACCT_7]) AS changes
 WHERE changes._cdc_operation != 'D';

-- SCD2 promotion when healing: Stage to Bronze

INSERT INTO [UDM_Bronze].[DNA].[ACCT_scd2_python] ([ACCTNBR], [Order], [VANISHED], _key_hash, [UdmHash], _hash_layout, [UdmEffectiveDateTime], [UdmActiveFlag], [UdmScd2Operation], _batch_id)
 SELECT changes.[ACCTNBR], changes.[Order], changes.[VANISHED], changes._key_hash, changes._row_hash, changes._hash_layout, :param_1 AS anon_1, CASE WHEN (changes._cdc_operation = 'U') THEN 0 ELSE 1 END AS anon_2, CASE WHEN (changes._cdc_operation = 'U') THEN 'U' WHEN (EXISTS (SELECT *
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python] AS before
 WHERE before._key_hash = changes._key_hash
 AND before.[UdmScd2Operation] = 'D')) THEN 'R' ELSE 'I' END AS anon_3, :param_2 AS anon_4
 FROM (SELECT [UDM_Stage].[DNA].[ACCT_cdc].[ACCTNBR] AS [ACCTNBR], [UDM_Stage].[DNA].[ACCT_cdc].[Order] AS [Order], [UDM_Stage].[DNA].[ACCT_cdc].[VANISHED] AS [VANISHED], [UDM_Stage].[DNA].[ACCT_cdc]._key_hash AS _key_hash, [UDM_Stage].[DNA].[ACCT_cdc]._row_hash AS _row_hash, [UDM_Stage].[DNA].[ACCT_cdc]._hash_layout AS _hash_layout, [UDM_Stage].[DNA].[ACCT_cdc]._cdc_operation AS _cdc_operation
 FROM [UDM_Stage].[DNA].[ACCT_cdc]
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_batch_id = :param_3) AS changes
 WHERE changes._cdc_operation != 'D';

UPDATE [UDM_Bronze].[DNA].[ACCT_scd2_python]
 SET [UdmEndDateTime]=:UdmEndDateTime, [UdmActiveFlag]=0, [UdmScd2Operation]=CASE WHEN (changes._cdc_operation = 'D') THEN 'D' ELSE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmScd2Operation] END, _end_batch_id=:_end_batch_id
 FROM [UDM_Bronze].[DNA].[ACCT_scd2_python], (SELECT [UDM_Stage].[DNA].[ACCT_cdc].[ACCTNBR] AS [ACCTNBR], [UDM_Stage].[DNA].[ACCT_cdc].[Order] AS [Order], [UDM_Stage].[DNA].[ACCT_cdc].[VANISHED] AS [VANISHED], [UDM_Stage].[DNA].[ACCT_cdc]._key_hash AS _key_hash, [UDM_Stage].[DNA].[ACCT_cdc]._row_hash AS _row_hash, [UDM_Stage].[DNA].[ACCT_cdc]._hash_layout AS _hash_layout, [UDM_Stage].[DNA].[ACCT_cdc]._cdc_operation AS _cdc_operation
 FROM [UDM_Stage].[DNA].[ACCT_cdc]
 WHERE [UDM_Stage].[DNA].[ACCT_cdc]._cdc_batch_id = :param_1) AS changes
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 1
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python]._key_hash = changes._key_hash
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python]._batch_id != :_end_batch_id;

UPDATE [UDM_Bronze].[DNA].[ACCT_scd2_python]
 SET [UdmActiveFlag]=1
 WHERE [UDM_Bronze].[DNA].[ACCT_scd2_python]._batch_id = :param_1
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmActiveFlag] = 0
 AND [UDM_Bronze].[DNA].[ACCT_scd2_python].[UdmEndDateTime] IS NULL;
