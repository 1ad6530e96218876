-- Least privilege for UDM Pipeline on SQL Server. Run by a DBA, once; replace the names and the passwords.
-- The pipeline needs neither db_owner nor any server role, and never creates databases unless --create-databases is given
-- (which wants CREATE ANY DATABASE). A schema that it creates belongs to it, so that no right on its tables is listed here.

-- The target: Stage, Bronze and General. ------------------------------------------------------------------------------
USE [master];
GO
CREATE LOGIN [udm] WITH PASSWORD = N'<password>';  -- or: CREATE LOGIN [DOMAIN\udm] FROM WINDOWS;
GO
-- Optional: names the holder of a locked table, what a hung load waits for, and a log that is nearly full.
-- GRANT VIEW SERVER STATE TO [udm];

USE [UDM_Stage];
GO
CREATE USER [udm] FOR LOGIN [udm];
GO
GRANT CONNECT, CREATE SCHEMA, CREATE TABLE TO [udm];
GO
USE [UDM_Bronze];
GO
CREATE USER [udm] FOR LOGIN [udm];
GO
GRANT CONNECT, CREATE SCHEMA, CREATE TABLE TO [udm];
GO
USE [General];
GO
CREATE USER [udm] FOR LOGIN [udm];
GO
GRANT CONNECT, CREATE SCHEMA, CREATE TABLE TO [udm];
GO
-- The control tables stand in dbo, which is not the pipeline's own. ALTER: to create them, or columns that they lack.
GRANT SELECT, INSERT, UPDATE, ALTER ON SCHEMA::[dbo] TO [udm];
GO

-- A SQL Server source: it reads tables and their catalogue, and writes nothing. -----------------------------------------
-- SELECT shows a table's columns and keys too. A synonym wants SELECT on its base object, and a user in that one's database.
-- Row versions let a table be read in one state without locks (they cost space in tempdb, or in the database with ADR):
-- ALTER DATABASE [CCM] SET ALLOW_SNAPSHOT_ISOLATION ON;
-- USE [master]; CREATE LOGIN [udm_reader] WITH PASSWORD = N'<password>';
-- USE [CCM]; CREATE USER [udm_reader] FOR LOGIN [udm_reader];
-- GRANT CONNECT TO [udm_reader]; GRANT SELECT ON SCHEMA::[dbo] TO [udm_reader];

-- A PostgreSQL source. ---------------------------------------------------------------------------------------------------
-- CREATE ROLE udm_reader LOGIN PASSWORD '<password>'; GRANT USAGE ON SCHEMA public TO udm_reader;
-- GRANT SELECT ON ALL TABLES IN SCHEMA public TO udm_reader;

-- A MySQL source. --------------------------------------------------------------------------------------------------------
-- CREATE USER 'udm_reader'@'%' IDENTIFIED BY '<password>'; GRANT SELECT ON crm.* TO 'udm_reader'@'%';
