(method name: (_) @name body: (_)? @body) @function
(singleton_method name: (_) @name body: (_)? @body) @function
(do_block body: (_)? @body) @function
(class name: (_) @name body: (_)? @body) @class
(module name: (_) @name body: (_)? @body) @class
(singleton_class value: (_) @name body: (_)? @body) @class

(call !receiver method: (identifier) @name) @import

(comment) @comment
[(string) (heredoc_body) (subshell) (regex)] @string
(interpolation) @interpolation
