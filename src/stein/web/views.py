"""Views that are classes: a class for what several URLs share, a method for each HTTP method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from stein.web.globals import current_app, request

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import ParamSpec

    from stein.web.typing import ResponseReturnValue, RouteCallable

    P = ParamSpec("P")

__all__ = ["MethodView", "View", "http_method_funcs"]

#: the names of methods that :class:`MethodView` looks for
http_method_funcs: Final = frozenset(
    {"delete", "get", "head", "options", "patch", "post", "put", "trace"}
)


class View:
    """A view as a class: subclass it and write :meth:`dispatch_request`.

    ::

        class UserList(View):
            def __init__(self, template):
                self.template = template

            def dispatch_request(self):
                return render_template(self.template, users=all_users())


        app.add_url_rule("/users", view_func=UserList.as_view("users", "users.html"))
        app.add_url_rule("/staff", view_func=UserList.as_view("staff", "staff.html"))

    What an application is given is not the class but what :meth:`as_view` returns.
    """

    #: The HTTP methods of its rules; None means what a function's rules would have: GET, HEAD and
    #: OPTIONS.
    methods: ClassVar[Collection[str] | None] = None

    #: Whether OPTIONS is answered without asking the view; None leaves it to the application.
    provide_automatic_options: ClassVar[bool | None] = None

    #: Decorators of the view function, applied from the first to the last.  Those of the class
    #: itself would not have reached it.
    decorators: ClassVar[list[Callable[..., Any]]] = []

    #: Whether each request gets an instance of its own.  False makes one, in :meth:`as_view`, for
    #: all requests and threads; then nothing about a request may be kept on ``self``.
    init_every_request: ClassVar[bool] = True

    def dispatch_request(self) -> ResponseReturnValue:
        """Answer a request; a subclass says how.

        It is called with the values of the URL as keyword arguments, and may be a coroutine
        function.
        """
        kind = type(self)
        raise NotImplementedError(
            f"the view class {kind.__module__}.{kind.__qualname__} has no dispatch_request(); "
            "define it, or inherit from MethodView and define get(), post() and the like"
        )

    @classmethod  # pyright: ignore[reportArgumentType] # so that the arguments are checked
    def as_view(
        cls: Callable[P, View], name: str, *class_args: P.args, **class_kwargs: P.kwargs
    ) -> RouteCallable:
        """Make a view function of the class, for ``add_url_rule``.

        :param name: of the function, and so of the endpoint unless another one is given.
        :param class_args: for the class, whenever an instance is made.
        :param class_kwargs: the same.
        """
        kind: Any = cls  # for type checkers it is only what makes the instances
        if kind.init_every_request:

            def view(**kwargs: Any) -> Any:
                # Looked up each time, so that a test can put another class there.
                self = made.view_class(*class_args, **class_kwargs)
                return current_app.ensure_sync(self.dispatch_request)(**kwargs)

        else:
            instance = cls(*class_args, **class_kwargs)

            def view(**kwargs: Any) -> Any:
                return current_app.ensure_sync(instance.dispatch_request)(**kwargs)

        made: Any = view
        made.__name__ = name
        made.__module__ = kind.__module__
        for decorator in kind.decorators:
            made = decorator(made)
        # All this is for what the decorators have made of it, since that gets the rules.
        made.view_class = kind
        made.__name__ = name
        made.__module__ = kind.__module__
        made.__doc__ = kind.__doc__
        made.methods = kind.methods
        made.provide_automatic_options = kind.provide_automatic_options
        result: RouteCallable = made
        return result


class MethodView(View):
    """A view with a method for each HTTP method, called by its name in lower case.

    ::

        class Note(MethodView):
            def get(self, number):
                return notes[number]

            def delete(self, number):
                del notes[number]
                return "", 204


        app.add_url_rule("/notes/<int:number>", view_func=Note.as_view("note"))

    Its rules are for the methods that it has, and those of its bases; HEAD is answered by ``get``
    if there is no ``head``.  A subclass that sets :attr:`methods` itself has said it all.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Find out which HTTP methods the class is for."""
        super().__init_subclass__(**kwargs)
        if "methods" in cls.__dict__:
            return
        found = {name.upper() for name in http_method_funcs if hasattr(cls, name)}
        for base in cls.__bases__:
            # A base may have said more than it has methods for.
            found.update(getattr(base, "methods", None) or ())
        if found:
            cls.methods = found

    def dispatch_request(self, **kwargs: Any) -> ResponseReturnValue:
        """Call the method that is named as the request's.

        :param kwargs: the values of the URL.
        :raises AssertionError: there is none, though the rule let the request in.
        """
        name = request.method.lower()
        method = getattr(self, name, None)
        if method is None and name == "head":
            method = getattr(self, "get", None)
        if method is None:
            raise AssertionError(self._unimplemented(name))
        answer: ResponseReturnValue = current_app.ensure_sync(method)(**kwargs)
        return answer

    def _unimplemented(self, name: str) -> str:
        kind = type(self)
        have = sorted(each for each in http_method_funcs if hasattr(self, each))
        has = f"it has {', '.join(have)}" if have else "it has none at all"
        return (
            f"Unimplemented method {name.upper()!r}: the rule of {request.path!r} lets it in, but "
            f"the class {kind.__module__}.{kind.__qualname__} has no method {name}() ({has}). "
            f"Define {name}(self, ...), or take {name.upper()!r} out of `methods`, in the class or "
            "where the rule is added"
        )
