-- What the login of an Oracle source (UDM_SOURCE_<NAME>) needs, and no more. Run as an administrator; replace the names.
-- READ lets a login query and nothing else; SELECT would also let it lock rows (SELECT ... FOR UPDATE). Before 12.1.0.2 there is no READ:
-- grant SELECT there. No right on V$ views is needed, nor FLASHBACK but for PartitionOn: a read is one read-only transaction.
-- The catalogue needs no grant, for its ALL_ views show what a login may read.
CREATE USER udm_reader IDENTIFIED BY "change-me";
GRANT CREATE SESSION TO udm_reader;

-- Once for each table or view of UdmTablesList. A synonym needs the grant on what it leads to.
GRANT READ ON osibank.acct TO udm_reader;

-- Only for tables with PartitionOn, whose ranges are read as of one SCN; without these the table is read in one stream and the log says so.
-- A view is granted like a table; its owner needs FLASHBACK, WITH GRANT OPTION, on tables of others beneath it.
-- GRANT EXECUTE ON sys.dbms_flashback TO udm_reader;
-- GRANT FLASHBACK ON osibank.acct TO udm_reader;

-- Where python-oracledb's thin mode says that a password verifier is not supported, set the password anew: that stores it in a later form.
-- One session is held per table that is being read (WORKERS at a time), with PartitionOn one more per range, together at most
-- SOURCE_MAX_CONNECTIONS; a profile can cap them:
-- CREATE PROFILE udm_reader LIMIT SESSIONS_PER_USER 8;
-- ALTER USER udm_reader PROFILE udm_reader;
