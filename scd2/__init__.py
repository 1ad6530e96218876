"""SCD2 promotion to Bronze."""
