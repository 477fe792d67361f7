(function_definition body: (compound_statement) @body) @function
(function_definition declarator: (function_declarator declarator: (_) @name)
  body: (compound_statement) @body) @function
(function_definition declarator: (pointer_declarator declarator: (function_declarator declarator: (_) @name))
  body: (compound_statement) @body) @function
(struct_specifier name: (_)? @name body: (field_declaration_list) @body) @class
(union_specifier name: (_)? @name body: (field_declaration_list) @body) @class
(enum_specifier name: (_)? @name body: (enumerator_list) @body) @class

(preproc_include) @import
; inside an include guard
(preproc_ifdef (preproc_include) @import)
(preproc_if (preproc_include) @import)

(comment) @comment
[(string_literal) (raw_string_literal) (char_literal) (system_lib_string)] @string

; C++'s own
(function_definition declarator: (reference_declarator (function_declarator declarator: (_) @name))
  body: (compound_statement) @body) @function
(lambda_expression body: (compound_statement) @body) @function
(class_specifier name: (_)? @name body: (field_declaration_list) @body) @class
(namespace_definition name: (_)? @name body: (declaration_list) @body) @class
(template_declaration (function_definition body: (compound_statement) @body)) @function
(template_declaration (class_specifier body: (field_declaration_list) @body)) @class
(template_declaration (struct_specifier body: (field_declaration_list) @body)) @class
(using_declaration) @import
