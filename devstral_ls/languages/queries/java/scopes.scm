(method_declaration name: (_) @name body: (block) @body) @function
(constructor_declaration name: (_) @name body: (constructor_body) @body) @function
(compact_constructor_declaration name: (_) @name body: (block) @body) @function
(lambda_expression body: (block) @body) @function
(class_declaration name: (_) @name body: (class_body) @body) @class
(interface_declaration name: (_) @name body: (interface_body) @body) @class
(enum_declaration name: (_) @name body: (enum_body) @body) @class
(record_declaration name: (_) @name body: (class_body) @body) @class
(annotation_type_declaration name: (_) @name body: (annotation_type_body) @body) @class
(object_creation_expression type: (_) @name (class_body) @body) @class

[(package_declaration) (import_declaration)] @import

[(line_comment) (block_comment)] @comment
[(string_literal) (character_literal)] @string
(string_interpolation) @interpolation
