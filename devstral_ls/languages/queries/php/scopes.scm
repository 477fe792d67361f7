(function_definition name: (_) @name body: (compound_statement) @body) @function
(method_declaration name: (_) @name body: (compound_statement) @body) @function
(anonymous_function body: (compound_statement) @body) @function
(class_declaration name: (_) @name body: (declaration_list) @body) @class
(interface_declaration name: (_) @name body: (declaration_list) @body) @class
(trait_declaration name: (_) @name body: (declaration_list) @body) @class
(enum_declaration name: (_) @name body: (enum_declaration_list) @body) @class
(namespace_definition name: (_)? @name body: (compound_statement) @body) @class

(namespace_use_declaration) @import
(namespace_definition !body) @import
(expression_statement [(include_expression) (include_once_expression) (require_expression)
  (require_once_expression)]) @import

(comment) @comment
[(string) (encapsed_string) (heredoc) (nowdoc)] @string
