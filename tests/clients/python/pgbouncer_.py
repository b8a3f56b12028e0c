"""PgBouncer with its defaults, and a client of it for each request. The URL is only the server's: host=ROLE:PASSWORD@HOST:PORT/DATABASE."""
import os
import re
import socket
import subprocess
import time

import psycopg2

import hold

role, password, host, port, database = re.match(r"host=(.*):(.*)@(.*):(\d+)/(.*)", hold.URL).groups()
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    listen = free.getsockname()[1]
with open("pgbouncer.ini", "w") as settings:
    settings.write(f"""
[databases]
{database} = host={host} port={port} user={role} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
auth_type = any
unix_socket_dir =
""")
as_nobody = [] if os.getuid() else ["-u", "nobody"]  # it refuses to be root
subprocess.Popen(["pgbouncer", "-q", *as_nobody, "pgbouncer.ini"])
while True:
    with socket.socket() as up:
        if up.connect_ex(("127.0.0.1", listen)) == 0:
            break
    time.sleep(0.1)


def query():
    connection = psycopg2.connect(host="127.0.0.1", port=listen, dbname=database, user=role)
    connection.autocommit = True  # in the middle of a transaction PgBouncer would drop the session and open another
    connection.cursor().execute(hold.QUERY)
    connection.close()


hold.in_threads(query)
