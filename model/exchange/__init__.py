"""From modules and files of other tools to layers in real numbers, and back."""
