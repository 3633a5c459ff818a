"""The database: models, transactions, and one module for each family of statements."""
