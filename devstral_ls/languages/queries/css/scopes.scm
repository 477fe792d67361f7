(rule_set (selectors) @name (block) @body) @class
(media_statement (block) @body) @class
(supports_statement (block) @body) @class
(at_rule (block) @body) @class
(keyframes_statement (keyframes_name) @name (keyframe_block_list) @body) @class

(import_statement) @import

(comment) @comment
(string_value) @string
