"""SQL over the CSV, Parquet and Excel files of one folder: found, converted once, asked within bounds."""
