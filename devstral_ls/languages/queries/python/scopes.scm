(function_definition name: (identifier) @name ":" @open body: (block)? @body) @function
(class_definition name: (identifier) @name ":" @open body: (block)? @body) @class
(decorated_definition definition: (function_definition body: (block) @body)) @function
(decorated_definition definition: (class_definition body: (block) @body)) @class

[(import_statement) (import_from_statement) (future_import_statement)] @import
; if TYPE_CHECKING: and try: ... except ImportError:
(if_statement consequence: (block [(import_statement) (import_from_statement)] @import))
(try_statement body: (block [(import_statement) (import_from_statement)] @import))

(comment) @comment
(string) @string
(interpolation) @interpolation
