"""The harness: runs both implementations of a twin in processes of their own, and compares."""
