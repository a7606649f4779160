"""What the API shows of the backend's records; times are ISO 8601 in UTC."""
