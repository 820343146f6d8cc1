"""Build flow: API definition files become typed `ApiDefinition`s."""
