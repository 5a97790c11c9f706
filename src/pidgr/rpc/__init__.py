"""The front door: transport, interceptors and the binding of RPCs to domain services."""
