"""New rows through models that were trained together: what is registered, what it refuses, what it has scored."""
