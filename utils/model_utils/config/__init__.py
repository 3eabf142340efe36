"""The configuration: schema, YAML files, command line, help."""
