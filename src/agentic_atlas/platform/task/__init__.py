"""What is seen of a task: pure functions from what use cases return to what a page shows."""
