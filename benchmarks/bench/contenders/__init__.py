"""What is measured: the service, and what it is measured against. Each starts and stops itself."""
