(function_declaration name: (_) @name body: (statement_block) @body) @function
(generator_function_declaration name: (_) @name body: (statement_block) @body) @function
(function_expression body: (statement_block) @body) @function
(function_expression name: (_) @name body: (statement_block) @body) @function
(generator_function body: (statement_block) @body) @function
(arrow_function body: (statement_block) @body) @function
(method_definition name: (_) @name body: (statement_block) @body) @function
(class_static_block body: (statement_block) @body) @function
(class_declaration name: (_) @name body: (class_body) @body) @class
(class name: (_)? @name body: (class_body) @body) @class

; a function that is given a name by what it is the value of
(lexical_declaration (variable_declarator name: (_) @name value: [
  (arrow_function body: (statement_block) @body)
  (function_expression body: (statement_block) @body)
  (generator_function body: (statement_block) @body)
  (call_expression arguments: (arguments . (arrow_function body: (statement_block) @body)))])) @function
(variable_declaration (variable_declarator name: (_) @name value: [
  (arrow_function body: (statement_block) @body)
  (function_expression body: (statement_block) @body)])) @function
(assignment_expression left: (_) @name right: [
  (arrow_function body: (statement_block) @body)
  (function_expression body: (statement_block) @body)]) @function
(pair key: (_) @name value: [
  (arrow_function body: (statement_block) @body)
  (function_expression body: (statement_block) @body)]) @function

(export_statement declaration: [
  (function_declaration body: (statement_block) @body)
  (generator_function_declaration body: (statement_block) @body)
  (lexical_declaration (variable_declarator value: (arrow_function body: (statement_block) @body)))]) @function
(export_statement declaration: (class_declaration body: (class_body) @body)) @class

(import_statement) @import
(export_statement source: (string)) @import
(lexical_declaration (variable_declarator value: (call_expression function: (identifier) @name))) @import

(comment) @comment
[(string) (template_string) (regex)] @string
(template_substitution) @interpolation
(field_definition property: (_) @name value: (arrow_function body: (statement_block) @body)) @function
