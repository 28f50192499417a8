"""The reloader: a program that is started anew when its files change.

Facts.  Python cannot put new code in the place of old code; a program has to be started again,
and for that somebody must live longer than it.  Two processes listening on a port one after the
other have a moment between them in which nobody does.  Import errors are the normal case while
somebody types.

Danger.  A connection that is refused or reset; a process that stays behind and holds the port; an
answer by old code after the save; a watcher that burns the processor, or misses the one file.

Decision.  The *parent* binds the sockets and keeps them for its whole life, watches the files,
and runs nothing of the user's.  The *child* is the same command line again, started through
:mod:`~stein.serving.reloader.bootstrap`; it serves on the inherited sockets.  At a change the old
child is told to take no more connections, the new one is started, new connections wait in the
kernel's queue, and once the new one is ready the old one is retired.  If it fails, the parent
answers itself, with what went wrong, until the next change.  A socket pair joins the two: it
carries messages, and its end tells each of them that the other is gone.

Price.  Under ``python app.py`` the parent has executed the program up to ``app.run()`` before it
becomes the parent.  While the new child is imported, nobody answers: a browser waits.
"""
