"""Random requests generated from the OpenAPI document, sent to the real service."""
