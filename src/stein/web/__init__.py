"""The framework: an application, its blueprints, and the road of a request through them."""
