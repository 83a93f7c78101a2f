"""The contenders: the service and its peers. Each starts and stops its own processes."""
