-- CDC promotion: staging to Stage

INSERT INTO "UDM_Stage.DNA"."ACCT_cdc" ("ACCTNBR", "Order", "VANISHED", _key_hash, _row_hash, _hash_layout, _extracted_at, _cdc_operation, _cdc_valid_from, _cdc_valid_to, _cdc_is_current, _cdc_batch_id)
 SELECT "UDM_Stage.DNA"."ACCT_cdc"."ACCTNBR", "UDM_Stage.DNA"."ACCT_cdc"."Order", "UDM_Stage.DNA"."ACCT_cdc"."VANISHED", "UDM_Stage.DNA"."ACCT_cdc"._key_hash, "UDM_Stage.DNA"."ACCT_cdc"._row_hash, "UDM_Stage.DNA"."ACCT_cdc"._hash_layout, :param_1::TIMESTAMP WITHOUT TIME ZONE AS anon_1, 'D', :param_1::TIMESTAMP WITHOUT TIME ZONE AS anon__1, :param_1::TIMESTAMP WITHOUT TIME ZONE AS anon__2, false AS anon_2, :param_2::BIGINT AS anon_3
 FROM "UDM_Stage.DNA"."ACCT_cdc"
 JOIN "UDM_Stage.DNA"."_staging_ACCT_7"
 ON "UDM_Stage.DNA"."ACCT_cdc"._key_hash = "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash
 WHERE "UDM_Stage.DNA"."ACCT_cdc"._cdc_is_current = true
 AND "UDM_Stage.DNA"."_staging_ACCT_7"._cdc_operation = 'D';

UPDATE "UDM_Stage.DNA"."ACCT_cdc"
 SET _cdc_valid_to=:_cdc_valid_to::TIMESTAMP WITHOUT TIME ZONE, _cdc_is_current=false
 FROM "UDM_Stage.DNA"."_staging_ACCT_7"
 WHERE "UDM_Stage.DNA"."ACCT_cdc"._cdc_is_current = true
 AND "UDM_Stage.DNA"."ACCT_cdc"._key_hash = "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash
 AND "UDM_Stage.DNA"."_staging_ACCT_7"._cdc_operation != 'I';

INSERT INTO "UDM_Stage.DNA"."ACCT_cdc" ("ACCTNBR", "Order", _key_hash, _row_hash, _hash_layout, _extracted_at, _cdc_operation, _cdc_valid_from, _cdc_valid_to, _cdc_is_current, _cdc_batch_id)
 SELECT "UDM_Stage.DNA"."_staging_ACCT_7"."ACCTNBR", "UDM_Stage.DNA"."_staging_ACCT_7"."Order", "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash, "UDM_Stage.DNA"."_staging_ACCT_7"._row_hash, "UDM_Stage.DNA"."_staging_ACCT_7"._hash_layout, :param_1::TIMESTAMP WITHOUT TIME ZONE AS anon_1, "UDM_Stage.DNA"."_staging_ACCT_7"._cdc_operation, :param_1::TIMESTAMP WITHOUT TIME ZONE AS anon__1, NULL AS anon_2, true AS anon_3, :param_2::BIGINT AS anon_4
 FROM "UDM_Stage.DNA"."_staging_ACCT_7"
 WHERE "UDM_Stage.DNA"."_staging_ACCT_7"._cdc_operation IN ('I', 'U');

-- SCD2 promotion: staging to Bronze

INSERT INTO "UDM_Bronze.DNA"."ACCT_scd2_python" ("ACCTNBR", "Order", _key_hash, "UdmHash", _hash_layout, "UdmEffectiveDateTime", "UdmActiveFlag", "UdmScd2Operation", _batch_id)
 SELECT changes."ACCTNBR", changes."Order", changes._key_hash, changes._row_hash, changes._hash_layout, :param_1::TIMESTAMP WITHOUT TIME ZONE AS anon_1, CASE WHEN (changes._cdc_operation = 'U') THEN false ELSE true END AS anon_2, CASE WHEN (changes._cdc_operation = 'U') THEN 'U' WHEN (EXISTS (SELECT *
 FROM "UDM_Bronze.DNA"."ACCT_scd2_python" AS before
 WHERE before._key_hash = changes._key_hash
 AND before."UdmScd2Operation" = 'D')) THEN 'R' ELSE 'I' END AS anon_3, :param_2::BIGINT AS anon_4
 FROM (SELECT "UDM_Stage.DNA"."_staging_ACCT_7"."ACCTNBR" AS "ACCTNBR", "UDM_Stage.DNA"."_staging_ACCT_7"."Order" AS "Order", "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash AS _key_hash, "UDM_Stage.DNA"."_staging_ACCT_7"._row_hash AS _row_hash, "UDM_Stage.DNA"."_staging_ACCT_7"._hash_layout AS _hash_layout, "UDM_Stage.DNA"."_staging_ACCT_7"._cdc_operation AS _cdc_operation
 FROM "UDM_Stage.DNA"."_staging_ACCT_7") AS changes
 WHERE changes._cdc_operation != 'D';

UPDATE "UDM_Bronze.DNA"."ACCT_scd2_python"
 SET "UdmEndDateTime"=:UdmEndDateTime::TIMESTAMP WITHOUT TIME ZONE, "UdmActiveFlag"=false, "UdmScd2Operation"=CASE WHEN (changes._cdc_operation = 'D') THEN 'D' ELSE "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmScd2Operation" END, _end_batch_id=:_end_batch_id::BIGINT
 FROM (SELECT "UDM_Stage.DNA"."_staging_ACCT_7"."ACCTNBR" AS "ACCTNBR", "UDM_Stage.DNA"."_staging_ACCT_7"."Order" AS "Order", "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash AS _key_hash, "UDM_Stage.DNA"."_staging_ACCT_7"._row_hash AS _row_hash, "UDM_Stage.DNA"."_staging_ACCT_7"._hash_layout AS _hash_layout, "UDM_Stage.DNA"."_staging_ACCT_7"._cdc_operation AS _cdc_operation
 FROM "UDM_Stage.DNA"."_staging_ACCT_7") AS changes
 WHERE "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmActiveFlag" = true
 AND "UDM_Bronze.DNA"."ACCT_scd2_python"._key_hash = changes._key_hash
 AND "UDM_Bronze.DNA"."ACCT_scd2_python"._batch_id != :_end_batch_id::BIGINT;

UPDATE "UDM_Bronze.DNA"."ACCT_scd2_python"
 SET "UdmActiveFlag"=true
 WHERE "UDM_Bronze.DNA"."ACCT_scd2_python"._batch_id = :param_1::BIGINT
 AND "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmActiveFlag" = false
 AND "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmEndDateTime" IS NULL;

-- SCD2 promotion of a first load

INSERT INTO "UDM_Bronze.DNA"."ACCT_scd2_python" ("ACCTNBR", "Order", _key_hash, "UdmHash", _hash_layout, "UdmEffectiveDateTime", "UdmActiveFlag", "UdmScd2Operation", _batch_id)
 SELECT changes."ACCTNBR", changes."Order", changes._key_hash, changes._row_hash, changes._hash_layout, :param_1::TIMESTAMP WITHOUT TIME ZONE AS anon_1, true AS anon_2, 'I', :param_2::BIGINT AS anon_3
 FROM (SELECT "UDM_Stage.DNA"."_staging_ACCT_7"."ACCTNBR" AS "ACCTNBR", "UDM_Stage.DNA"."_staging_ACCT_7"."Order" AS "Order", "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash AS _key_hash, "UDM_Stage.DNA"."_staging_ACCT_7"._row_hash AS _row_hash, "UDM_Stage.DNA"."_staging_ACCT_7"._hash_layout AS _hash_layout, "UDM_Stage.DNA"."_staging_ACCT_7"._cdc_operation AS _cdc_operation
 FROM "UDM_Stage.DNA"."_staging_ACCT_7") AS changes
 WHERE changes._cdc_operation != 'D';

-- SCD2 promotion when healing: Stage to Bronze

INSERT INTO "UDM_Bronze.DNA"."ACCT_scd2_python" ("ACCTNBR", "Order", "VANISHED", _key_hash, "UdmHash", _hash_layout, "UdmEffectiveDateTime", "UdmActiveFlag", "UdmScd2Operation", _batch_id)
 SELECT changes."ACCTNBR", changes."Order", changes."VANISHED", changes._key_hash, changes._row_hash, changes._hash_layout, :param_1::TIMESTAMP WITHOUT TIME ZONE AS anon_1, CASE WHEN (changes._cdc_operation = 'U') THEN false ELSE true END AS anon_2, CASE WHEN (changes._cdc_operation = 'U') THEN 'U' WHEN (EXISTS (SELECT *
 FROM "UDM_Bronze.DNA"."ACCT_scd2_python" AS before
 WHERE before._key_hash = changes._key_hash
 AND before."UdmScd2Operation" = 'D')) THEN 'R' ELSE 'I' END AS anon_3, :param_2::BIGINT AS anon_4
 FROM (SELECT "UDM_Stage.DNA"."ACCT_cdc"."ACCTNBR" AS "ACCTNBR", "UDM_Stage.DNA"."ACCT_cdc"."Order" AS "Order", "UDM_Stage.DNA"."ACCT_cdc"."VANISHED" AS "VANISHED", "UDM_Stage.DNA"."ACCT_cdc"._key_hash AS _key_hash, "UDM_Stage.DNA"."ACCT_cdc"._row_hash AS _row_hash, "UDM_Stage.DNA"."ACCT_cdc"._hash_layout AS _hash_layout, "UDM_Stage.DNA"."ACCT_cdc"._cdc_operation AS _cdc_operation
 FROM "UDM_Stage.DNA"."ACCT_cdc"
 WHERE "UDM_Stage.DNA"."ACCT_cdc"._cdc_batch_id = :param_3::BIGINT) AS changes
 WHERE changes._cdc_operation != 'D';

UPDATE "UDM_Bronze.DNA"."ACCT_scd2_python"
 SET "UdmEndDateTime"=:UdmEndDateTime::TIMESTAMP WITHOUT TIME ZONE, "UdmActiveFlag"=false, "UdmScd2Operation"=CASE WHEN (changes._cdc_operation = 'D') THEN 'D' ELSE "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmScd2Operation" END, _end_batch_id=:_end_batch_id::BIGINT
 FROM (SELECT "UDM_Stage.DNA"."ACCT_cdc"."ACCTNBR" AS "ACCTNBR", "UDM_Stage.DNA"."ACCT_cdc"."Order" AS "Order", "UDM_Stage.DNA"."ACCT_cdc"."VANISHED" AS "VANISHED", "UDM_Stage.DNA"."ACCT_cdc"._key_hash AS _key_hash, "UDM_Stage.DNA"."ACCT_cdc"._row_hash AS _row_hash, "UDM_Stage.DNA"."ACCT_cdc"._hash_layout AS _hash_layout, "UDM_Stage.DNA"."ACCT_cdc"._cdc_operation AS _cdc_operation
 FROM "UDM_Stage.DNA"."ACCT_cdc"
 WHERE "UDM_Stage.DNA"."ACCT_cdc"._cdc_batch_id = :param_1::BIGINT) AS changes
 WHERE "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmActiveFlag" = true
 AND "UDM_Bronze.DNA"."ACCT_scd2_python"._key_hash = changes._key_hash
 AND "UDM_Bronze.DNA"."ACCT_scd2_python"._batch_id != :_end_batch_id::BIGINT;

UPDATE "UDM_Bronze.DNA"."ACCT_scd2_python"
 SET "UdmActiveFlag"=true
 WHERE "UDM_Bronze.DNA"."ACCT_scd2_python"._batch_id = :param_1::BIGINT
 AND "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmActiveFlag" = false
 AND "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmEndDateTime" IS NULL;

-- Chunk 2 of 3, CDC promotion

INSERT INTO "UDM_Stage.DNA"."ACCT_cdc" ("ACCTNBR", "Order", "VANISHED", _key_hash, _row_hash, _hash_layout, _extracted_at, _cdc_operation, _cdc_valid_from, _cdc_valid_to, _cdc_is_current, _cdc_batch_id)
 SELECT "UDM_Stage.DNA"."ACCT_cdc"."ACCTNBR", "UDM_Stage.DNA"."ACCT_cdc"."Order", "UDM_Stage.DNA"."ACCT_cdc"."VANISHED", "UDM_Stage.DNA"."ACCT_cdc"._key_hash, "UDM_Stage.DNA"."ACCT_cdc"._row_hash, "UDM_Stage.DNA"."ACCT_cdc"._hash_layout, :param_1::TIMESTAMP WITHOUT TIME ZONE AS anon_1, 'D', :param_1::TIMESTAMP WITHOUT TIME ZONE AS anon__1, :param_1::TIMESTAMP WITHOUT TIME ZONE AS anon__2, false AS anon_2, :param_2::BIGINT AS anon_3
 FROM "UDM_Stage.DNA"."ACCT_cdc"
 JOIN "UDM_Stage.DNA"."_staging_ACCT_7"
 ON "UDM_Stage.DNA"."ACCT_cdc"._key_hash = "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash
 WHERE "UDM_Stage.DNA"."ACCT_cdc"._cdc_is_current = true
 AND "UDM_Stage.DNA"."_staging_ACCT_7"._cdc_operation = 'D'
 AND "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash >= '\x55555555555555555555555555555555'::bytea
 AND "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash < '\xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'::bytea;

UPDATE "UDM_Stage.DNA"."ACCT_cdc"
 SET _cdc_valid_to=:_cdc_valid_to::TIMESTAMP WITHOUT TIME ZONE, _cdc_is_current=false
 FROM "UDM_Stage.DNA"."_staging_ACCT_7"
 WHERE "UDM_Stage.DNA"."ACCT_cdc"._cdc_is_current = true
 AND "UDM_Stage.DNA"."ACCT_cdc"._key_hash = "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash
 AND "UDM_Stage.DNA"."_staging_ACCT_7"._cdc_operation != 'I'
 AND "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash >= '\x55555555555555555555555555555555'::bytea
 AND "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash < '\xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'::bytea;

INSERT INTO "UDM_Stage.DNA"."ACCT_cdc" ("ACCTNBR", "Order", _key_hash, _row_hash, _hash_layout, _extracted_at, _cdc_operation, _cdc_valid_from, _cdc_valid_to, _cdc_is_current, _cdc_batch_id)
 SELECT "UDM_Stage.DNA"."_staging_ACCT_7"."ACCTNBR", "UDM_Stage.DNA"."_staging_ACCT_7"."Order", "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash, "UDM_Stage.DNA"."_staging_ACCT_7"._row_hash, "UDM_Stage.DNA"."_staging_ACCT_7"._hash_layout, :param_1::TIMESTAMP WITHOUT TIME ZONE AS anon_1, "UDM_Stage.DNA"."_staging_ACCT_7"._cdc_operation, :param_1::TIMESTAMP WITHOUT TIME ZONE AS anon__1, NULL AS anon_2, true AS anon_3, :param_2::BIGINT AS anon_4
 FROM "UDM_Stage.DNA"."_staging_ACCT_7"
 WHERE "UDM_Stage.DNA"."_staging_ACCT_7"._cdc_operation IN ('I', 'U')
 AND "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash >= '\x55555555555555555555555555555555'::bytea
 AND "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash < '\xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'::bytea;

-- Chunk 2 of 3, SCD2 promotion

INSERT INTO "UDM_Bronze.DNA"."ACCT_scd2_python" ("ACCTNBR", "Order", _key_hash, "UdmHash", _hash_layout, "UdmEffectiveDateTime", "UdmActiveFlag", "UdmScd2Operation", _batch_id)
 SELECT changes."ACCTNBR", changes."Order", changes._key_hash, changes._row_hash, changes._hash_layout, :param_1::TIMESTAMP WITHOUT TIME ZONE AS anon_1, CASE WHEN (changes._cdc_operation = 'U') THEN false ELSE true END AS anon_2, CASE WHEN (changes._cdc_operation = 'U') THEN 'U' WHEN (EXISTS (SELECT *
 FROM "UDM_Bronze.DNA"."ACCT_scd2_python" AS before
 WHERE before._key_hash = changes._key_hash
 AND before."UdmScd2Operation" = 'D')) THEN 'R' ELSE 'I' END AS anon_3, :param_2::BIGINT AS anon_4
 FROM (SELECT "UDM_Stage.DNA"."_staging_ACCT_7"."ACCTNBR" AS "ACCTNBR", "UDM_Stage.DNA"."_staging_ACCT_7"."Order" AS "Order", "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash AS _key_hash, "UDM_Stage.DNA"."_staging_ACCT_7"._row_hash AS _row_hash, "UDM_Stage.DNA"."_staging_ACCT_7"._hash_layout AS _hash_layout, "UDM_Stage.DNA"."_staging_ACCT_7"._cdc_operation AS _cdc_operation
 FROM "UDM_Stage.DNA"."_staging_ACCT_7"
 WHERE "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash >= '\x55555555555555555555555555555555'::bytea
 AND "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash < '\xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'::bytea) AS changes
 WHERE changes._cdc_operation != 'D';

UPDATE "UDM_Bronze.DNA"."ACCT_scd2_python"
 SET "UdmEndDateTime"=:UdmEndDateTime::TIMESTAMP WITHOUT TIME ZONE, "UdmActiveFlag"=false, "UdmScd2Operation"=CASE WHEN (changes._cdc_operation = 'D') THEN 'D' ELSE "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmScd2Operation" END, _end_batch_id=:_end_batch_id::BIGINT
 FROM (SELECT "UDM_Stage.DNA"."_staging_ACCT_7"."ACCTNBR" AS "ACCTNBR", "UDM_Stage.DNA"."_staging_ACCT_7"."Order" AS "Order", "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash AS _key_hash, "UDM_Stage.DNA"."_staging_ACCT_7"._row_hash AS _row_hash, "UDM_Stage.DNA"."_staging_ACCT_7"._hash_layout AS _hash_layout, "UDM_Stage.DNA"."_staging_ACCT_7"._cdc_operation AS _cdc_operation
 FROM "UDM_Stage.DNA"."_staging_ACCT_7"
 WHERE "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash >= '\x55555555555555555555555555555555'::bytea
 AND "UDM_Stage.DNA"."_staging_ACCT_7"._key_hash < '\xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'::bytea) AS changes
 WHERE "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmActiveFlag" = true
 AND "UDM_Bronze.DNA"."ACCT_scd2_python"._key_hash = changes._key_hash
 AND "UDM_Bronze.DNA"."ACCT_scd2_python"._batch_id != :_end_batch_id::BIGINT;

UPDATE "UDM_Bronze.DNA"."ACCT_scd2_python"
 SET "UdmActiveFlag"=true
 WHERE "UDM_Bronze.DNA"."ACCT_scd2_python"._batch_id = :param_1::BIGINT
 AND "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmActiveFlag" = false
 AND "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmEndDateTime" IS NULL;

-- Chunk 2 of 3, SCD2 promotion when healing

INSERT INTO "UDM_Bronze.DNA"."ACCT_scd2_python" ("ACCTNBR", "Order", "VANISHED", _key_hash, "UdmHash", _hash_layout, "UdmEffectiveDateTime", "UdmActiveFlag", "UdmScd2Operation", _batch_id)
 SELECT changes."ACCTNBR", changes."Order", changes."VANISHED", changes._key_hash, changes._row_hash, changes._hash_layout, :param_1::TIMESTAMP WITHOUT TIME ZONE AS anon_1, CASE WHEN (changes._cdc_operation = 'U') THEN false ELSE true END AS anon_2, CASE WHEN (changes._cdc_operation = 'U') THEN 'U' WHEN (EXISTS (SELECT *
 FROM "UDM_Bronze.DNA"."ACCT_scd2_python" AS before
 WHERE before._key_hash = changes._key_hash
 AND before."UdmScd2Operation" = 'D')) THEN 'R' ELSE 'I' END AS anon_3, :param_2::BIGINT AS anon_4
 FROM (SELECT "UDM_Stage.DNA"."ACCT_cdc"."ACCTNBR" AS "ACCTNBR", "UDM_Stage.DNA"."ACCT_cdc"."Order" AS "Order", "UDM_Stage.DNA"."ACCT_cdc"."VANISHED" AS "VANISHED", "UDM_Stage.DNA"."ACCT_cdc"._key_hash AS _key_hash, "UDM_Stage.DNA"."ACCT_cdc"._row_hash AS _row_hash, "UDM_Stage.DNA"."ACCT_cdc"._hash_layout AS _hash_layout, "UDM_Stage.DNA"."ACCT_cdc"._cdc_operation AS _cdc_operation
 FROM "UDM_Stage.DNA"."ACCT_cdc"
 WHERE "UDM_Stage.DNA"."ACCT_cdc"._cdc_batch_id = :param_3::BIGINT
 AND "UDM_Stage.DNA"."ACCT_cdc"._key_hash >= '\x55555555555555555555555555555555'::bytea
 AND "UDM_Stage.DNA"."ACCT_cdc"._key_hash < '\xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'::bytea) AS changes
 WHERE changes._cdc_operation != 'D';

UPDATE "UDM_Bronze.DNA"."ACCT_scd2_python"
 SET "UdmEndDateTime"=:UdmEndDateTime::TIMESTAMP WITHOUT TIME ZONE, "UdmActiveFlag"=false, "UdmScd2Operation"=CASE WHEN (changes._cdc_operation = 'D') THEN 'D' ELSE "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmScd2Operation" END, _end_batch_id=:_end_batch_id::BIGINT
 FROM (SELECT "UDM_Stage.DNA"."ACCT_cdc"."ACCTNBR" AS "ACCTNBR", "UDM_Stage.DNA"."ACCT_cdc"."Order" AS "Order", "UDM_Stage.DNA"."ACCT_cdc"."VANISHED" AS "VANISHED", "UDM_Stage.DNA"."ACCT_cdc"._key_hash AS _key_hash, "UDM_Stage.DNA"."ACCT_cdc"._row_hash AS _row_hash, "UDM_Stage.DNA"."ACCT_cdc"._hash_layout AS _hash_layout, "UDM_Stage.DNA"."ACCT_cdc"._cdc_operation AS _cdc_operation
 FROM "UDM_Stage.DNA"."ACCT_cdc"
 WHERE "UDM_Stage.DNA"."ACCT_cdc"._cdc_batch_id = :param_1::BIGINT
 AND "UDM_Stage.DNA"."ACCT_cdc"._key_hash >= '\x55555555555555555555555555555555'::bytea
 AND "UDM_Stage.DNA"."ACCT_cdc"._key_hash < '\xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'::bytea) AS changes
 WHERE "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmActiveFlag" = true
 AND "UDM_Bronze.DNA"."ACCT_scd2_python"._key_hash = changes._key_hash
 AND "UDM_Bronze.DNA"."ACCT_scd2_python"._batch_id != :_end_batch_id::BIGINT;

UPDATE "UDM_Bronze.DNA"."ACCT_scd2_python"
 SET "UdmActiveFlag"=true
 WHERE "UDM_Bronze.DNA"."ACCT_scd2_python"._batch_id = :param_1::BIGINT
 AND "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmActiveFlag" = false
 AND "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmEndDateTime" IS NULL;

-- Stage, for a column of every type

 CREATE TABLE IF NOT EXISTS "UDM_Stage.DNA"."ACCT_cdc" ( "C int8" smallint, "C int16" smallint, "C int32" integer, "C int64" bigint, "C uint8" smallint, "C uint16" integer, "C uint32" bigint, "C uint64" numeric(20,0), "C boolean" boolean, "C float32" real, "C float64" double precision, "C decimal(38,10)" numeric(38,10), "C text" text, "C binary" bytea, "C date" date, "C time" time without time zone, "C timestamp" timestamp without time zone, "C timestamptz" timestamp with time zone, "C uuid" uuid, _key_hash bytea NOT NULL, _row_hash bytea NOT NULL, _hash_layout BIGINT NOT NULL, _extracted_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, _cdc_operation VARCHAR(1) NOT NULL, _cdc_valid_from TIMESTAMP WITHOUT TIME ZONE NOT NULL, _cdc_valid_to TIMESTAMP WITHOUT TIME ZONE, _cdc_is_current BOOLEAN NOT NULL, _cdc_batch_id BIGINT NOT NULL ) WITH (autovacuum_vacuum_scale_factor = 0.01) ;

-- Bronze, for a column of every type

 CREATE TABLE IF NOT EXISTS "UDM_Bronze.DNA"."ACCT_scd2_python" ( _scd2_key BIGINT GENERATED ALWAYS AS IDENTITY, "C int8" smallint, "C int16" smallint, "C int32" integer, "C int64" bigint, "C uint8" smallint, "C uint16" integer, "C uint32" bigint, "C uint64" numeric(20,0), "C boolean" boolean, "C float32" real, "C float64" double precision, "C decimal(38,10)" numeric(38,10), "C text" text, "C binary" bytea, "C date" date, "C time" time without time zone, "C timestamp" timestamp without time zone, "C timestamptz" timestamp with time zone, "C uuid" uuid, _key_hash bytea NOT NULL, "UdmHash" bytea NOT NULL, _hash_layout BIGINT NOT NULL, "UdmEffectiveDateTime" TIMESTAMP WITHOUT TIME ZONE NOT NULL, "UdmEndDateTime" TIMESTAMP WITHOUT TIME ZONE, "UdmActiveFlag" BOOLEAN NOT NULL, "UdmScd2Operation" VARCHAR(1) NOT NULL, _batch_id BIGINT NOT NULL, _end_batch_id BIGINT ) ;

CREATE INDEX IF NOT EXISTS "ix_ACCT_scd2_python_deleted"
 ON "UDM_Bronze.DNA"."ACCT_scd2_python" ("_key_hash")
 WHERE "UdmScd2Operation" = 'D';

CREATE INDEX IF NOT EXISTS "ix_ACCT_scd2_python_end_batch"
 ON "UDM_Bronze.DNA"."ACCT_scd2_python" ("_end_batch_id")
 WHERE "_end_batch_id" IS NOT NULL;

-- Staging, and its end

 CREATE UNLOGGED TABLE IF NOT EXISTS "UDM_Stage.DNA"."_staging_ACCT_7" ( "ACCTNBR" bigint, "Order" text, _key_hash bytea, _row_hash bytea, _hash_layout bigint, _cdc_operation text ) WITH (autovacuum_enabled = off) ;

ANALYZE "UDM_Stage.DNA"."_staging_ACCT_7" ("_key_hash", "_cdc_operation");

DROP TABLE IF EXISTS "UDM_Stage.DNA"."_staging_ACCT_7";

-- A new column

ALTER TABLE "UDM_Bronze.DNA"."ACCT_scd2_python" ADD COLUMN "C int8" smallint;

-- A wider column

ALTER TABLE "UDM_Bronze.DNA"."ACCT_scd2_python" ALTER COLUMN "ACCTNBR" TYPE bigint;

-- Indexes of Stage

CREATE UNIQUE INDEX IF NOT EXISTS "ux_ACCT_cdc_current"
 ON "UDM_Stage.DNA"."ACCT_cdc" ("_key_hash") INCLUDE ("_row_hash", "_hash_layout")
 WHERE "_cdc_is_current";

-- Indexes of Bronze

CREATE UNIQUE INDEX IF NOT EXISTS "ux_ACCT_scd2_python_one_active"
 ON "UDM_Bronze.DNA"."ACCT_scd2_python" ("_key_hash")
 WHERE "UdmActiveFlag";

CREATE INDEX IF NOT EXISTS "ix_ACCT_scd2_python_deleted"
 ON "UDM_Bronze.DNA"."ACCT_scd2_python" ("_key_hash")
 WHERE "UdmScd2Operation" = 'D';

CREATE INDEX IF NOT EXISTS "ix_ACCT_scd2_python_end_batch"
 ON "UDM_Bronze.DNA"."ACCT_scd2_python" ("_end_batch_id")
 WHERE "_end_batch_id" IS NOT NULL;

CREATE INDEX IF NOT EXISTS "ix_ACCT_scd2_python_batch"
 ON "UDM_Bronze.DNA"."ACCT_scd2_python" ("_batch_id");

CREATE INDEX IF NOT EXISTS "ix_ACCT_scd2_python_versions"
 ON "UDM_Bronze.DNA"."ACCT_scd2_python" ("_key_hash", "UdmEffectiveDateTime");

-- Hashes read back

SELECT "UDM_Stage.DNA"."ACCT_cdc"._key_hash, "UDM_Stage.DNA"."ACCT_cdc"._row_hash, "UDM_Stage.DNA"."ACCT_cdc"._hash_layout
 FROM "UDM_Stage.DNA"."ACCT_cdc"
 WHERE "UDM_Stage.DNA"."ACCT_cdc"._cdc_is_current = true;

-- A reconciliation: do the layers agree

SELECT count(*) AS count_1, coalesce(sum(CASE WHEN (b.key_hash IS NULL) THEN :param_1::INTEGER ELSE :param_2::INTEGER END), :coalesce_2::INTEGER) AS coalesce_1, coalesce(sum(CASE WHEN (s.row_hash != b.row_hash) THEN :param_3::INTEGER ELSE :param_4::INTEGER END), :coalesce_4::INTEGER) AS coalesce_3
 FROM (SELECT "UDM_Stage.DNA"."ACCT_cdc"._key_hash AS key_hash, "UDM_Stage.DNA"."ACCT_cdc"._row_hash AS row_hash
 FROM "UDM_Stage.DNA"."ACCT_cdc"
 WHERE "UDM_Stage.DNA"."ACCT_cdc"._cdc_is_current = true) AS s LEFT OUTER
 JOIN (SELECT "UDM_Bronze.DNA"."ACCT_scd2_python"._key_hash AS key_hash, "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmHash" AS row_hash
 FROM "UDM_Bronze.DNA"."ACCT_scd2_python"
 WHERE "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmActiveFlag" = true) AS b
 ON s.key_hash = b.key_hash;

SELECT count(*) AS count_1
 FROM (SELECT "UDM_Bronze.DNA"."ACCT_scd2_python"._key_hash AS key_hash, "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmHash" AS row_hash
 FROM "UDM_Bronze.DNA"."ACCT_scd2_python"
 WHERE "UDM_Bronze.DNA"."ACCT_scd2_python"."UdmActiveFlag" = true) AS b
 WHERE NOT (EXISTS (SELECT 1
 FROM (SELECT "UDM_Stage.DNA"."ACCT_cdc"._key_hash AS key_hash, "UDM_Stage.DNA"."ACCT_cdc"._row_hash AS row_hash
 FROM "UDM_Stage.DNA"."ACCT_cdc"
 WHERE "UDM_Stage.DNA"."ACCT_cdc"._cdc_is_current = true) AS s
 WHERE s.key_hash = b.key_hash));

-- A reconciliation: sums of a layer's values

SELECT once.segment, count(*) AS count_1, sum(hash_record_extended(row(once.valued, once.h0, once.h1), 0)) AS sum_1, sum(once.valued) AS sum_2
 FROM (SELECT get_byte("UDM_Stage.DNA"."ACCT_cdc"._key_hash, :get_byte_1::INTEGER) * 16 + (get_byte("UDM_Stage.DNA"."ACCT_cdc"._key_hash, :get_byte_2::INTEGER) >> 4) AS segment, hash_record_extended(row("UDM_Stage.DNA"."ACCT_cdc"."ACCTNBR", "UDM_Stage.DNA"."ACCT_cdc"."Order" COLLATE "C"), 0) AS valued, "UDM_Stage.DNA"."ACCT_cdc"._key_hash AS h0, "UDM_Stage.DNA"."ACCT_cdc"._row_hash AS h1
 FROM "UDM_Stage.DNA"."ACCT_cdc" LIMIT ALL OFFSET 0) AS once GROUP BY once.segment;

-- Hashes read back, from the index

SELECT rows.*
 FROM generate_series(0, 255) AS part (first) CROSS
 JOIN LATERAL (SELECT h._hash_layout, count(*), bool_and(octet_length(h._key_hash) = 16
 AND octet_length(h._row_hash) = 16), string_agg(h._key_hash, ''::bytea), string_agg(h._row_hash, ''::bytea)
 FROM (SELECT "UDM_Stage.DNA"."ACCT_cdc"._key_hash, "UDM_Stage.DNA"."ACCT_cdc"._row_hash, "UDM_Stage.DNA"."ACCT_cdc"._hash_layout
 FROM "UDM_Stage.DNA"."ACCT_cdc"
 WHERE "UDM_Stage.DNA"."ACCT_cdc"._cdc_is_current = true) AS h
 WHERE h._key_hash BETWEEN set_byte('\x00'::bytea, 0, part.first)
 AND set_byte('\x00'::bytea, 0, part.first) || '\xffffffffffffffffffffffffffffff'::bytea GROUP BY h._hash_layout) AS rows;

-- Hashes read back, from the table

SELECT rows.*
 FROM generate_series(0, pg_relation_size('"UDM_Stage.DNA"."ACCT_cdc"') / current_setting('block_size')::int, 512) AS part (first) CROSS
 JOIN LATERAL (SELECT h._hash_layout, count(*), bool_and(octet_length(h._key_hash) = 16
 AND octet_length(h._row_hash) = 16), string_agg(h._key_hash, ''::bytea), string_agg(h._row_hash, ''::bytea)
 FROM (SELECT "UDM_Stage.DNA"."ACCT_cdc"._key_hash, "UDM_Stage.DNA"."ACCT_cdc"._row_hash, "UDM_Stage.DNA"."ACCT_cdc"._hash_layout, ctid
 FROM "UDM_Stage.DNA"."ACCT_cdc"
 WHERE "UDM_Stage.DNA"."ACCT_cdc"._cdc_is_current = true) AS h
 WHERE h.ctid >= ('(' || part.first || ',0)')::tid
 AND h.ctid < ('(' || part.first + 512 || ',0)')::tid GROUP BY h._hash_layout) AS rows;
