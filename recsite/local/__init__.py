"""The site on one machine: `manage.py up`, its processes, and the embedded servers."""
