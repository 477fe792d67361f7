(function_definition name: (_) @name body: (_) @body) @function

(command name: (command_name) @name) @import

(comment) @comment
[(string) (raw_string) (heredoc_body)] @string
(command_substitution) @interpolation
