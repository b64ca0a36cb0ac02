"""The child processes that meet user code, and the executors that start them."""
