-- CDC promotion: staging to Stage

INSERT INTO "UDM_Stage"."DNA"."ACCT_cdc" ("ACCTNBR", "Order", "VANISHED", _key_hash, _row_hash, _hash_layout, _extracted_at, _cdc_operation, _cdc_valid_from, _cdc_valid_to, _cdc_is_current, _cdc_batch_id)
 SELECT "UDM_Stage"."DNA"."ACCT_cdc"."ACCTNBR", "UDM_Stage"."DNA"."ACCT_cdc"."Order", "UDM_Stage"."DNA"."ACCT_cdc"."VANISHED", "UDM_Stage"."DNA"."ACCT_cdc"._key_hash, "UDM_Stage"."DNA"."ACCT_cdc"._row_hash, "UDM_Stage"."DNA"."ACCT_cdc"._hash_layout, :param_1 AS anon_1, 'D', :param_1 AS anon__1, :param_1 AS anon__2, false AS anon_2, :param_2 AS anon_3
 FROM "UDM_Stage"."DNA"."ACCT_cdc"
 JOIN "UDM_Stage"."DNA"."_staging_ACCT_7"
 ON "UDM_Stage"."DNA"."ACCT_cdc"._key_hash = "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash
 WHERE "UDM_Stage"."DNA"."ACCT_cdc"._cdc_is_current = true
 AND "UDM_Stage"."DNA"."_staging_ACCT_7"._cdc_operation = 'D';

UPDATE "UDM_Stage"."DNA"."ACCT_cdc"
 SET _cdc_valid_to=:_cdc_valid_to, _cdc_is_current=false
 FROM "UDM_Stage"."DNA"."_staging_ACCT_7"
 WHERE "UDM_Stage"."DNA"."ACCT_cdc"._cdc_is_current = true
 AND "UDM_Stage"."DNA"."ACCT_cdc"._key_hash = "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash
 AND "UDM_Stage"."DNA"."_staging_ACCT_7"._cdc_operation != 'I';

INSERT INTO "UDM_Stage"."DNA"."ACCT_cdc" ("ACCTNBR", "Order", _key_hash, _row_hash, _hash_layout, _extracted_at, _cdc_operation, _cdc_valid_from, _cdc_valid_to, _cdc_is_current, _cdc_batch_id)
 SELECT "UDM_Stage"."DNA"."_staging_ACCT_7"."ACCTNBR", "UDM_Stage"."DNA"."_staging_ACCT_7"."Order", "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash, "UDM_Stage"."DNA"."_staging_ACCT_7"._row_hash, "UDM_Stage"."DNA"."_staging_ACCT_7"._hash_layout, :param_1 AS anon_1, "UDM_Stage"."DNA"."_staging_ACCT_7"._cdc_operation, :param_1 AS anon__1, NULL AS anon_2, true AS anon_3, :param_2 AS anon_4
 FROM "UDM_Stage"."DNA"."_staging_ACCT_7"
 WHERE "UDM_Stage"."DNA"."_staging_ACCT_7"._cdc_operation IN ('I', 'U');

-- SCD2 promotion: staging to Bronze

INSERT INTO "UDM_Bronze"."DNA"."ACCT_scd2_python" (_scd2_key, "ACCTNBR", "Order", _key_hash, "UdmHash", _hash_layout, "UdmEffectiveDateTime", "UdmActiveFlag", "UdmScd2Operation", _batch_id)
 SELECT (SELECT coalesce(max("UDM_Bronze"."DNA"."ACCT_scd2_python"._scd2_key), :coalesce_2) AS coalesce_1
 FROM "UDM_Bronze"."DNA"."ACCT_scd2_python") + changes._position AS anon_1, changes."ACCTNBR", changes."Order", changes._key_hash, changes._row_hash, changes._hash_layout, :param_1 AS anon_2, CASE WHEN (changes._cdc_operation = 'U') THEN false ELSE true END AS anon_3, CASE WHEN (changes._cdc_operation = 'U') THEN 'U' WHEN (EXISTS (SELECT *
 FROM "UDM_Bronze"."DNA"."ACCT_scd2_python" AS before
 WHERE before._key_hash = changes._key_hash
 AND before."UdmScd2Operation" = 'D')) THEN 'R' ELSE 'I' END AS anon_4, :param_2 AS anon_5
 FROM (SELECT "UDM_Stage"."DNA"."_staging_ACCT_7"."ACCTNBR" AS "ACCTNBR", "UDM_Stage"."DNA"."_staging_ACCT_7"."Order" AS "Order", "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash AS _key_hash, "UDM_Stage"."DNA"."_staging_ACCT_7"._row_hash AS _row_hash, "UDM_Stage"."DNA"."_staging_ACCT_7"._hash_layout AS _hash_layout, "UDM_Stage"."DNA"."_staging_ACCT_7"._cdc_operation AS _cdc_operation, rowid + 1 AS _position
 FROM "UDM_Stage"."DNA"."_staging_ACCT_7") AS changes
 WHERE changes._cdc_operation != 'D';

UPDATE "UDM_Bronze"."DNA"."ACCT_scd2_python"
 SET "UdmEndDateTime"=:UdmEndDateTime, "UdmActiveFlag"=false, "UdmScd2Operation"=CASE WHEN (changes._cdc_operation = 'D') THEN 'D' ELSE "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmScd2Operation" END, _end_batch_id=:_end_batch_id
 FROM (SELECT "UDM_Stage"."DNA"."_staging_ACCT_7"."ACCTNBR" AS "ACCTNBR", "UDM_Stage"."DNA"."_staging_ACCT_7"."Order" AS "Order", "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash AS _key_hash, "UDM_Stage"."DNA"."_staging_ACCT_7"._row_hash AS _row_hash, "UDM_Stage"."DNA"."_staging_ACCT_7"._hash_layout AS _hash_layout, "UDM_Stage"."DNA"."_staging_ACCT_7"._cdc_operation AS _cdc_operation, rowid + 1 AS _position
 FROM "UDM_Stage"."DNA"."_staging_ACCT_7") AS changes
 WHERE "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmActiveFlag" = true
 AND "UDM_Bronze"."DNA"."ACCT_scd2_python"._key_hash = changes._key_hash
 AND "UDM_Bronze"."DNA"."ACCT_scd2_python"._batch_id != :_end_batch_id;

UPDATE "UDM_Bronze"."DNA"."ACCT_scd2_python"
 SET "UdmActiveFlag"=true
 WHERE "UDM_Bronze"."DNA"."ACCT_scd2_python"._batch_id = :param_1
 AND "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmActiveFlag" = false
 AND "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmEndDateTime" IS NULL;

-- SCD2 promotion of a first load

INSERT INTO "UDM_Bronze"."DNA"."ACCT_scd2_python" (_scd2_key, "ACCTNBR", "Order", _key_hash, "UdmHash", _hash_layout, "UdmEffectiveDateTime", "UdmActiveFlag", "UdmScd2Operation", _batch_id)
 SELECT (SELECT coalesce(max("UDM_Bronze"."DNA"."ACCT_scd2_python"._scd2_key), :coalesce_2) AS coalesce_1
 FROM "UDM_Bronze"."DNA"."ACCT_scd2_python") + changes._position AS anon_1, changes."ACCTNBR", changes."Order", changes._key_hash, changes._row_hash, changes._hash_layout, :param_1 AS anon_2, true AS anon_3, 'I', :param_2 AS anon_4
 FROM (SELECT "UDM_Stage"."DNA"."_staging_ACCT_7"."ACCTNBR" AS "ACCTNBR", "UDM_Stage"."DNA"."_staging_ACCT_7"."Order" AS "Order", "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash AS _key_hash, "UDM_Stage"."DNA"."_staging_ACCT_7"._row_hash AS _row_hash, "UDM_Stage"."DNA"."_staging_ACCT_7"._hash_layout AS _hash_layout, "UDM_Stage"."DNA"."_staging_ACCT_7"._cdc_operation AS _cdc_operation, rowid + 1 AS _position
 FROM "UDM_Stage"."DNA"."_staging_ACCT_7") AS changes
 WHERE changes._cdc_operation != 'D';

-- SCD2 promotion when healing: Stage to Bronze

INSERT INTO "UDM_Bronze"."DNA"."ACCT_scd2_python" (_scd2_key, "ACCTNBR", "Order", "VANISHED", _key_hash, "UdmHash", _hash_layout, "UdmEffectiveDateTime", "UdmActiveFlag", "UdmScd2Operation", _batch_id)
 SELECT (SELECT coalesce(max("UDM_Bronze"."DNA"."ACCT_scd2_python"._scd2_key), :coalesce_2) AS coalesce_1
 FROM "UDM_Bronze"."DNA"."ACCT_scd2_python") + changes._position AS anon_1, changes."ACCTNBR", changes."Order", changes."VANISHED", changes._key_hash, changes._row_hash, changes._hash_layout, :param_1 AS anon_2, CASE WHEN (changes._cdc_operation = 'U') THEN false ELSE true END AS anon_3, CASE WHEN (changes._cdc_operation = 'U') THEN 'U' WHEN (EXISTS (SELECT *
 FROM "UDM_Bronze"."DNA"."ACCT_scd2_python" AS before
 WHERE before._key_hash = changes._key_hash
 AND before."UdmScd2Operation" = 'D')) THEN 'R' ELSE 'I' END AS anon_4, :param_2 AS anon_5
 FROM (SELECT "UDM_Stage"."DNA"."ACCT_cdc"."ACCTNBR" AS "ACCTNBR", "UDM_Stage"."DNA"."ACCT_cdc"."Order" AS "Order", "UDM_Stage"."DNA"."ACCT_cdc"."VANISHED" AS "VANISHED", "UDM_Stage"."DNA"."ACCT_cdc"._key_hash AS _key_hash, "UDM_Stage"."DNA"."ACCT_cdc"._row_hash AS _row_hash, "UDM_Stage"."DNA"."ACCT_cdc"._hash_layout AS _hash_layout, "UDM_Stage"."DNA"."ACCT_cdc"._cdc_operation AS _cdc_operation, row_number() OVER () AS _position
 FROM "UDM_Stage"."DNA"."ACCT_cdc"
 WHERE "UDM_Stage"."DNA"."ACCT_cdc"._cdc_batch_id = :param_3) AS changes
 WHERE changes._cdc_operation != 'D';

UPDATE "UDM_Bronze"."DNA"."ACCT_scd2_python"
 SET "UdmEndDateTime"=:UdmEndDateTime, "UdmActiveFlag"=false, "UdmScd2Operation"=CASE WHEN (changes._cdc_operation = 'D') THEN 'D' ELSE "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmScd2Operation" END, _end_batch_id=:_end_batch_id
 FROM (SELECT "UDM_Stage"."DNA"."ACCT_cdc"."ACCTNBR" AS "ACCTNBR", "UDM_Stage"."DNA"."ACCT_cdc"."Order" AS "Order", "UDM_Stage"."DNA"."ACCT_cdc"."VANISHED" AS "VANISHED", "UDM_Stage"."DNA"."ACCT_cdc"._key_hash AS _key_hash, "UDM_Stage"."DNA"."ACCT_cdc"._row_hash AS _row_hash, "UDM_Stage"."DNA"."ACCT_cdc"._hash_layout AS _hash_layout, "UDM_Stage"."DNA"."ACCT_cdc"._cdc_operation AS _cdc_operation, row_number() OVER () AS _position
 FROM "UDM_Stage"."DNA"."ACCT_cdc"
 WHERE "UDM_Stage"."DNA"."ACCT_cdc"._cdc_batch_id = :param_1) AS changes
 WHERE "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmActiveFlag" = true
 AND "UDM_Bronze"."DNA"."ACCT_scd2_python"._key_hash = changes._key_hash
 AND "UDM_Bronze"."DNA"."ACCT_scd2_python"._batch_id != :_end_batch_id;

UPDATE "UDM_Bronze"."DNA"."ACCT_scd2_python"
 SET "UdmActiveFlag"=true
 WHERE "UDM_Bronze"."DNA"."ACCT_scd2_python"._batch_id = :param_1
 AND "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmActiveFlag" = false
 AND "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmEndDateTime" IS NULL;

-- Chunk 2 of 3, CDC promotion

INSERT INTO "UDM_Stage"."DNA"."ACCT_cdc" ("ACCTNBR", "Order", "VANISHED", _key_hash, _row_hash, _hash_layout, _extracted_at, _cdc_operation, _cdc_valid_from, _cdc_valid_to, _cdc_is_current, _cdc_batch_id)
 SELECT "UDM_Stage"."DNA"."ACCT_cdc"."ACCTNBR", "UDM_Stage"."DNA"."ACCT_cdc"."Order", "UDM_Stage"."DNA"."ACCT_cdc"."VANISHED", "UDM_Stage"."DNA"."ACCT_cdc"._key_hash, "UDM_Stage"."DNA"."ACCT_cdc"._row_hash, "UDM_Stage"."DNA"."ACCT_cdc"._hash_layout, :param_1 AS anon_1, 'D', :param_1 AS anon__1, :param_1 AS anon__2, false AS anon_2, :param_2 AS anon_3
 FROM "UDM_Stage"."DNA"."ACCT_cdc"
 JOIN "UDM_Stage"."DNA"."_staging_ACCT_7"
 ON "UDM_Stage"."DNA"."ACCT_cdc"._key_hash = "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash
 WHERE "UDM_Stage"."DNA"."ACCT_cdc"._cdc_is_current = true
 AND "UDM_Stage"."DNA"."_staging_ACCT_7"._cdc_operation = 'D'
 AND "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash >= unhex('55555555555555555555555555555555')
 AND "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash < unhex('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');

UPDATE "UDM_Stage"."DNA"."ACCT_cdc"
 SET _cdc_valid_to=:_cdc_valid_to, _cdc_is_current=false
 FROM "UDM_Stage"."DNA"."_staging_ACCT_7"
 WHERE "UDM_Stage"."DNA"."ACCT_cdc"._cdc_is_current = true
 AND "UDM_Stage"."DNA"."ACCT_cdc"._key_hash = "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash
 AND "UDM_Stage"."DNA"."_staging_ACCT_7"._cdc_operation != 'I'
 AND "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash >= unhex('55555555555555555555555555555555')
 AND "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash < unhex('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');

INSERT INTO "UDM_Stage"."DNA"."ACCT_cdc" ("ACCTNBR", "Order", _key_hash, _row_hash, _hash_layout, _extracted_at, _cdc_operation, _cdc_valid_from, _cdc_valid_to, _cdc_is_current, _cdc_batch_id)
 SELECT "UDM_Stage"."DNA"."_staging_ACCT_7"."ACCTNBR", "UDM_Stage"."DNA"."_staging_ACCT_7"."Order", "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash, "UDM_Stage"."DNA"."_staging_ACCT_7"._row_hash, "UDM_Stage"."DNA"."_staging_ACCT_7"._hash_layout, :param_1 AS anon_1, "UDM_Stage"."DNA"."_staging_ACCT_7"._cdc_operation, :param_1 AS anon__1, NULL AS anon_2, true AS anon_3, :param_2 AS anon_4
 FROM "UDM_Stage"."DNA"."_staging_ACCT_7"
 WHERE "UDM_Stage"."DNA"."_staging_ACCT_7"._cdc_operation IN ('I', 'U')
 AND "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash >= unhex('55555555555555555555555555555555')
 AND "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash < unhex('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');

-- Chunk 2 of 3, SCD2 promotion

INSERT INTO "UDM_Bronze"."DNA"."ACCT_scd2_python" (_scd2_key, "ACCTNBR", "Order", _key_hash, "UdmHash", _hash_layout, "UdmEffectiveDateTime", "UdmActiveFlag", "UdmScd2Operation", _batch_id)
 SELECT (SELECT coalesce(max("UDM_Bronze"."DNA"."ACCT_scd2_python"._scd2_key), :coalesce_2) AS coalesce_1
 FROM "UDM_Bronze"."DNA"."ACCT_scd2_python") + changes._position AS anon_1, changes."ACCTNBR", changes."Order", changes._key_hash, changes._row_hash, changes._hash_layout, :param_1 AS anon_2, CASE WHEN (changes._cdc_operation = 'U') THEN false ELSE true END AS anon_3, CASE WHEN (changes._cdc_operation = 'U') THEN 'U' WHEN (EXISTS (SELECT *
 FROM "UDM_Bronze"."DNA"."ACCT_scd2_python" AS before
 WHERE before._key_hash = changes._key_hash
 AND before."UdmScd2Operation" = 'D')) THEN 'R' ELSE 'I' END AS anon_4, :param_2 AS anon_5
 FROM (SELECT "UDM_Stage"."DNA"."_staging_ACCT_7"."ACCTNBR" AS "ACCTNBR", "UDM_Stage"."DNA"."_staging_ACCT_7"."Order" AS "Order", "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash AS _key_hash, "UDM_Stage"."DNA"."_staging_ACCT_7"._row_hash AS _row_hash, "UDM_Stage"."DNA"."_staging_ACCT_7"._hash_layout AS _hash_layout, "UDM_Stage"."DNA"."_staging_ACCT_7"._cdc_operation AS _cdc_operation, rowid + 1 AS _position
 FROM "UDM_Stage"."DNA"."_staging_ACCT_7"
 WHERE "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash >= unhex('55555555555555555555555555555555')
 AND "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash < unhex('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')) AS changes
 WHERE changes._cdc_operation != 'D';

UPDATE "UDM_Bronze"."DNA"."ACCT_scd2_python"
 SET "UdmEndDateTime"=:UdmEndDateTime, "UdmActiveFlag"=false, "UdmScd2Operation"=CASE WHEN (changes._cdc_operation = 'D') THEN 'D' ELSE "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmScd2Operation" END, _end_batch_id=:_end_batch_id
 FROM (SELECT "UDM_Stage"."DNA"."_staging_ACCT_7"."ACCTNBR" AS "ACCTNBR", "UDM_Stage"."DNA"."_staging_ACCT_7"."Order" AS "Order", "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash AS _key_hash, "UDM_Stage"."DNA"."_staging_ACCT_7"._row_hash AS _row_hash, "UDM_Stage"."DNA"."_staging_ACCT_7"._hash_layout AS _hash_layout, "UDM_Stage"."DNA"."_staging_ACCT_7"._cdc_operation AS _cdc_operation, rowid + 1 AS _position
 FROM "UDM_Stage"."DNA"."_staging_ACCT_7"
 WHERE "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash >= unhex('55555555555555555555555555555555')
 AND "UDM_Stage"."DNA"."_staging_ACCT_7"._key_hash < unhex('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')) AS changes
 WHERE "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmActiveFlag" = true
 AND "UDM_Bronze"."DNA"."ACCT_scd2_python"._key_hash = changes._key_hash
 AND "UDM_Bronze"."DNA"."ACCT_scd2_python"._batch_id != :_end_batch_id;

UPDATE "UDM_Bronze"."DNA"."ACCT_scd2_python"
 SET "UdmActiveFlag"=true
 WHERE "UDM_Bronze"."DNA"."ACCT_scd2_python"._batch_id = :param_1
 AND "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmActiveFlag" = false
 AND "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmEndDateTime" IS NULL;

-- Chunk 2 of 3, SCD2 promotion when healing

INSERT INTO "UDM_Bronze"."DNA"."ACCT_scd2_python" (_scd2_key, "ACCTNBR", "Order", "VANISHED", _key_hash, "UdmHash", _hash_layout, "UdmEffectiveDateTime", "UdmActiveFlag", "UdmScd2Operation", _batch_id)
 SELECT (SELECT coalesce(max("UDM_Bronze"."DNA"."ACCT_scd2_python"._scd2_key), :coalesce_2) AS coalesce_1
 FROM "UDM_Bronze"."DNA"."ACCT_scd2_python") + changes._position AS anon_1, changes."ACCTNBR", changes."Order", changes."VANISHED", changes._key_hash, changes._row_hash, changes._hash_layout, :param_1 AS anon_2, CASE WHEN (changes._cdc_operation = 'U') THEN false ELSE true END AS anon_3, CASE WHEN (changes._cdc_operation = 'U') THEN 'U' WHEN (EXISTS (SELECT *
 FROM "UDM_Bronze"."DNA"."ACCT_scd2_python" AS before
 WHERE before._key_hash = changes._key_hash
 AND before."UdmScd2Operation" = 'D')) THEN 'R' ELSE 'I' END AS anon_4, :param_2 AS anon_5
 FROM (SELECT "UDM_Stage"."DNA"."ACCT_cdc"."ACCTNBR" AS "ACCTNBR", "UDM_Stage"."DNA"."ACCT_cdc"."Order" AS "Order", "UDM_Stage"."DNA"."ACCT_cdc"."VANISHED" AS "VANISHED", "UDM_Stage"."DNA"."ACCT_cdc"._key_hash AS _key_hash, "UDM_Stage"."DNA"."ACCT_cdc"._row_hash AS _row_hash, "UDM_Stage"."DNA"."ACCT_cdc"._hash_layout AS _hash_layout, "UDM_Stage"."DNA"."ACCT_cdc"._cdc_operation AS _cdc_operation, row_number() OVER () AS _position
 FROM "UDM_Stage"."DNA"."ACCT_cdc"
 WHERE "UDM_Stage"."DNA"."ACCT_cdc"._cdc_batch_id = :param_3
 AND "UDM_Stage"."DNA"."ACCT_cdc"._key_hash >= unhex('55555555555555555555555555555555')
 AND "UDM_Stage"."DNA"."ACCT_cdc"._key_hash < unhex('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')) AS changes
 WHERE changes._cdc_operation != 'D';

UPDATE "UDM_Bronze"."DNA"."ACCT_scd2_python"
 SET "UdmEndDateTime"=:UdmEndDateTime, "UdmActiveFlag"=false, "UdmScd2Operation"=CASE WHEN (changes._cdc_operation = 'D') THEN 'D' ELSE "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmScd2Operation" END, _end_batch_id=:_end_batch_id
 FROM (SELECT "UDM_Stage"."DNA"."ACCT_cdc"."ACCTNBR" AS "ACCTNBR", "UDM_Stage"."DNA"."ACCT_cdc"."Order" AS "Order", "UDM_Stage"."DNA"."ACCT_cdc"."VANISHED" AS "VANISHED", "UDM_Stage"."DNA"."ACCT_cdc"._key_hash AS _key_hash, "UDM_Stage"."DNA"."ACCT_cdc"._row_hash AS _row_hash, "UDM_Stage"."DNA"."ACCT_cdc"._hash_layout AS _hash_layout, "UDM_Stage"."DNA"."ACCT_cdc"._cdc_operation AS _cdc_operation, row_number() OVER () AS _position
 FROM "UDM_Stage"."DNA"."ACCT_cdc"
 WHERE "UDM_Stage"."DNA"."ACCT_cdc"._cdc_batch_id = :param_1
 AND "UDM_Stage"."DNA"."ACCT_cdc"._key_hash >= unhex('55555555555555555555555555555555')
 AND "UDM_Stage"."DNA"."ACCT_cdc"._key_hash < unhex('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')) AS changes
 WHERE "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmActiveFlag" = true
 AND "UDM_Bronze"."DNA"."ACCT_scd2_python"._key_hash = changes._key_hash
 AND "UDM_Bronze"."DNA"."ACCT_scd2_python"._batch_id != :_end_batch_id;

UPDATE "UDM_Bronze"."DNA"."ACCT_scd2_python"
 SET "UdmActiveFlag"=true
 WHERE "UDM_Bronze"."DNA"."ACCT_scd2_python"._batch_id = :param_1
 AND "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmActiveFlag" = false
 AND "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmEndDateTime" IS NULL;

-- Stage, for a column of every type

 CREATE TABLE IF NOT EXISTS "UDM_Stage"."DNA"."ACCT_cdc" ( "C int8" TINYINT, "C int16" SMALLINT, "C int32" INTEGER, "C int64" BIGINT, "C uint8" UTINYINT, "C uint16" USMALLINT, "C uint32" UINTEGER, "C uint64" UBIGINT, "C boolean" BOOLEAN, "C float32" FLOAT, "C float64" DOUBLE, "C decimal(38,10)" DECIMAL(38,10), "C text" VARCHAR, "C binary" BLOB, "C date" DATE, "C time" TIME, "C timestamp" TIMESTAMP, "C timestamptz" TIMESTAMP WITH TIME ZONE, "C uuid" UUID, _key_hash BLOB NOT NULL, _row_hash BLOB NOT NULL, _hash_layout BIGINT NOT NULL, _extracted_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, _cdc_operation VARCHAR(1) NOT NULL, _cdc_valid_from TIMESTAMP WITHOUT TIME ZONE NOT NULL, _cdc_valid_to TIMESTAMP WITHOUT TIME ZONE, _cdc_is_current BOOLEAN NOT NULL, _cdc_batch_id BIGINT NOT NULL ) ;

-- Bronze, for a column of every type

 CREATE TABLE IF NOT EXISTS "UDM_Bronze"."DNA"."ACCT_scd2_python" ( _scd2_key BIGINT NOT NULL, "C int8" TINYINT, "C int16" SMALLINT, "C int32" INTEGER, "C int64" BIGINT, "C uint8" UTINYINT, "C uint16" USMALLINT, "C uint32" UINTEGER, "C uint64" UBIGINT, "C boolean" BOOLEAN, "C float32" FLOAT, "C float64" DOUBLE, "C decimal(38,10)" DECIMAL(38,10), "C text" VARCHAR, "C binary" BLOB, "C date" DATE, "C time" TIME, "C timestamp" TIMESTAMP, "C timestamptz" TIMESTAMP WITH TIME ZONE, "C uuid" UUID, _key_hash BLOB NOT NULL, "UdmHash" BLOB NOT NULL, _hash_layout BIGINT NOT NULL, "UdmEffectiveDateTime" TIMESTAMP WITHOUT TIME ZONE NOT NULL, "UdmEndDateTime" TIMESTAMP WITHOUT TIME ZONE, "UdmActiveFlag" BOOLEAN NOT NULL, "UdmScd2Operation" VARCHAR(1) NOT NULL, _batch_id BIGINT NOT NULL, _end_batch_id BIGINT ) ;

-- Staging, and its end

 CREATE TABLE IF NOT EXISTS "UDM_Stage"."DNA"."_staging_ACCT_7" ( "ACCTNBR" BIGINT, "Order" VARCHAR, _key_hash BLOB, _row_hash BLOB, _hash_layout BIGINT, _cdc_operation VARCHAR ) ;

DROP TABLE IF EXISTS "UDM_Stage"."DNA"."_staging_ACCT_7";

-- A new column

ALTER TABLE "UDM_Bronze"."DNA"."ACCT_scd2_python" ADD COLUMN "C int8" TINYINT;

-- A wider column

ALTER TABLE "UDM_Bronze"."DNA"."ACCT_scd2_python" ALTER COLUMN "ACCTNBR" TYPE BIGINT;

-- Indexes of Stage

-- Indexes of Bronze

-- Hashes read back

SELECT "UDM_Stage"."DNA"."ACCT_cdc"._key_hash, "UDM_Stage"."DNA"."ACCT_cdc"._row_hash, "UDM_Stage"."DNA"."ACCT_cdc"._hash_layout
 FROM "UDM_Stage"."DNA"."ACCT_cdc"
 WHERE "UDM_Stage"."DNA"."ACCT_cdc"._cdc_is_current = true;

-- A reconciliation: do the layers agree

SELECT count(*) AS count_1, coalesce(sum(CASE WHEN (b.key_hash IS NULL) THEN :param_1 ELSE :param_2 END), :coalesce_2) AS coalesce_1, coalesce(sum(CASE WHEN (s.row_hash != b.row_hash) THEN :param_3 ELSE :param_4 END), :coalesce_4) AS coalesce_3
 FROM (SELECT "UDM_Stage"."DNA"."ACCT_cdc"._key_hash AS key_hash, "UDM_Stage"."DNA"."ACCT_cdc"._row_hash AS row_hash
 FROM "UDM_Stage"."DNA"."ACCT_cdc"
 WHERE "UDM_Stage"."DNA"."ACCT_cdc"._cdc_is_current = true) AS s LEFT OUTER
 JOIN (SELECT "UDM_Bronze"."DNA"."ACCT_scd2_python"._key_hash AS key_hash, "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmHash" AS row_hash
 FROM "UDM_Bronze"."DNA"."ACCT_scd2_python"
 WHERE "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmActiveFlag" = true) AS b
 ON s.key_hash = b.key_hash;

SELECT count(*) AS count_1
 FROM (SELECT "UDM_Bronze"."DNA"."ACCT_scd2_python"._key_hash AS key_hash, "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmHash" AS row_hash
 FROM "UDM_Bronze"."DNA"."ACCT_scd2_python"
 WHERE "UDM_Bronze"."DNA"."ACCT_scd2_python"."UdmActiveFlag" = true) AS b
 WHERE NOT (EXISTS (SELECT 1
 FROM (SELECT "UDM_Stage"."DNA"."ACCT_cdc"._key_hash AS key_hash, "UDM_Stage"."DNA"."ACCT_cdc"._row_hash AS row_hash
 FROM "UDM_Stage"."DNA"."ACCT_cdc"
 WHERE "UDM_Stage"."DNA"."ACCT_cdc"._cdc_is_current = true) AS s
 WHERE s.key_hash = b.key_hash));
