"""Where telemetry and the control plane are kept."""
