"""The outbound process: composes the services that carry signals to the systems of action."""
