"""Configuration, devices, errors and the adapters to the places a job may run in. No MindSpore at import."""
