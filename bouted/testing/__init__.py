"""Stand-ins and builders that the tests and the demo share."""
