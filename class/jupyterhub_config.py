"""A class on a JupyterHub that you already have. docs/class.md says where this file goes.

Who may sign in, and where learners' servers run, stays as your hub has it. This adds the wall, the
trainer's view, and the lessons in everybody's home.
"""

import os

from pusherkit.classroom.hub import configure

c = get_config()  # noqa: F821  # JupyterHub defines it

configure(
    c,
    # The wall's folder: everybody's progress, and the secret that their keys are made from.
    data=os.environ.get("PUSHERKIT_DATA", "/var/lib/pusherkit"),
    # Names of your hub's users. They see who needs help; everybody else sees the wall.
    trainers={"trainer"},
    title="Signing for Pusher",
    learners=20,  # how many you expect
    # The Python that runs learners' servers, if it isn't the hub's own. It needs pusherkit, too.
    python=os.environ.get("PUSHERKIT_PYTHON", "/opt/tljh/user/bin/python"),
    # The system user that the wall runs as, so that it isn't root even if the hub is.
    wall_user=os.environ.get("PUSHERKIT_WALL_USER", "pusherkit"),
)
