"""The Telecom Italia data (Milano, Trentino): fetched, read and summed."""
