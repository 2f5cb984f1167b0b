"""What the gateway knows of tasks."""
