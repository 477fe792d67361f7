(function_declaration name: (identifier) @name body: (block) @body) @function
(method_declaration name: (field_identifier) @name body: (block) @body) @function
(func_literal body: (block) @body) @function
(type_declaration (type_spec name: (type_identifier) @name
  type: (struct_type (field_declaration_list) @body))) @class
(type_declaration (type_spec name: (type_identifier) @name
  type: (interface_type "{" @open) @body)) @class

[(package_clause) (import_declaration)] @import

(comment) @comment
[(interpreted_string_literal) (raw_string_literal) (rune_literal)] @string
