"""Policy: rules applied to findings and coverage yield a verdict. Pure."""
