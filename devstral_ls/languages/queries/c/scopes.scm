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
[(string_literal) (char_literal) (system_lib_string)] @string
