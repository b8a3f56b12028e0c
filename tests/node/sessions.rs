//! Real clients, whose sessions a pooler counts.
