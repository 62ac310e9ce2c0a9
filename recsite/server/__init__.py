"""The web server: gunicorn starts and replaces the processes, waitress reads and answers in each."""
