;;; devstral-ls.el --- Ghost text and code actions from a local Devstral  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The devstral_ls authors

;; Author: The devstral_ls authors
;; Version: 0.1.0
;; Package-Requires: ((emacs "28.1"))
;; Keywords: convenience, tools, languages
;; SPDX-License-Identifier: Apache-2.0

;;; Commentary:

;; A client of the `devstral-ls' language server: inline suggestions by a
;; model that runs on your own machine, and its code actions.
;;
;;     (require 'devstral-ls)
;;     (global-devstral-ls-mode)
;;
;; Ghost text appears after point.  While it is visible, TAB accepts all of
;; it, M-f the next word, C-e the rest of its first line, M-n and M-p show
;; another one, C-g dismisses it; at any other time these keys do what they
;; always do.
;;
;; Eglot manages one server for each buffer and knows no inline completion.
;; So this mode speaks to a server of its own, which all buffers share, and
;; leaves Eglot's (pyright, gopls, ...) alone.  Where the server that Eglot
;; manages offers inline completion itself, be it that `devstral-ls' is in
;; `eglot-server-programs' or that it sits behind a multiplexer such as rass,
;; that connection is used.  For lsp-mode see `devstral-ls-register-lsp-mode'.
;;
;; The client draws and never decides: whether and when the model is asked,
;; and what is worth showing, is up to the server.

;;; Code:

(require 'cl-lib)
(require 'easymenu)
(require 'jsonrpc)
(require 'project)
(require 'subr-x)
(require 'url-util)

(declare-function eglot-current-server "eglot")
(declare-function eglot--server-capable "eglot")
(declare-function eglot--TextDocumentPositionParams "eglot")
(declare-function eglot--VersionedTextDocumentIdentifier "eglot")
(declare-function eglot--lsp-position-to-point "eglot")
(declare-function eglot--pos-to-lsp-position "eglot")
(declare-function eglot--signal-textDocument/didChange "eglot")
(declare-function eglot-client-capabilities "eglot")
(declare-function eglot-code-actions "eglot")
(declare-function lsp-activate-on "lsp-mode")
(declare-function lsp-register-client "lsp-mode")
(declare-function lsp-stdio-connection "lsp-mode")
(declare-function make-lsp-client "lsp-mode")
(declare-function flymake-make-diagnostic "flymake")
(declare-function flymake-diagnostics "flymake")
(declare-function flymake-diagnostic-data "flymake")
(declare-function flymake-diagnostic-beg "flymake")
(declare-function flymake-diagnostic-end "flymake")
(declare-function flymake-diagnostic-text "flymake")
(declare-function flymake-diagnostic-type "flymake")
(declare-function flymake-diagnostic-backend "flymake")
(declare-function flymake-mode "flymake")
(declare-function flymake-start "flymake")
(defvar devstral-ls-mode)
(defvar eglot--managed-mode)
(defvar company-candidates)
(defvar corfu--frame)
(defvar evil-local-mode)
(defvar evil-state)

;;;; Options

(defgroup devstral-ls nil
  "Suggestions from a model on your own machine."
  :group 'tools
  :prefix "devstral-ls-")

(defcustom devstral-ls-command '("devstral-ls")
  "Program and arguments of the server."
  :type '(repeat string))

(defcustom devstral-ls-settings nil
  "Settings for the server, as its settings tree in plists.
For example \\='(:inline (:multiline \"never\") :model (:name \"starter\")).
`devstral-ls settings' on the command line prints every one.  Use `:json-false'
for false and vectors for lists.  Read when the server starts."
  :type 'plist
  :risky t)

(defcustom devstral-ls-delay 0.02
  "Idle seconds before the server is told of changes and asked.
The server has its own sense of when to ask the model; this only keeps a burst
of keys together."
  :type 'number)

(defcustom devstral-ls-use-eglot t
  "Whether to use Eglot's connection where its server has suggestions."
  :type 'boolean)

(defcustom devstral-ls-inhibit-functions
  '(devstral-ls-popup-visible-p devstral-ls-evil-command-p)
  "Functions without arguments; while one returns non-nil, nothing is drawn."
  :type 'hook)

(defcustom devstral-ls-tab-at-line-start 'auto
  "What TAB does while ghost text is visible and only white space is before point.
`auto': where the suggestion begins with an indentation, take only that, so that
the next TAB takes the rest; else take the suggestion.
`indent': what TAB does without a suggestion.
`accept': take the whole suggestion."
  :type '(choice (const auto) (const indent) (const accept)))

(defface devstral-ls-ghost '((t :inherit shadow :slant italic))
  "Face of ghost text.")

(defun devstral-ls--unless-inhibited (command)
  "COMMAND, unless something is open whose keys come first.
It may have opened by a timer, after the last command."
  (unless (run-hook-with-args-until-success 'devstral-ls-inhibit-functions) command))

(defun devstral-ls--tab (command)
  "What TAB does now: COMMAND, which takes the suggestion, or another.
See `devstral-ls-tab-at-line-start'."
  (when (devstral-ls--unless-inhibited command)
    (pcase (and (save-excursion (skip-chars-backward " \t") (bolp)) devstral-ls-tab-at-line-start)
      ('indent nil)
      ('auto (if (string-match-p "\\`[ \t]" (or (devstral-ls--rest) "")) #'devstral-ls-accept-indentation command))
      (_ command))))

(defvar devstral-ls-active-map
  (let ((map (make-sparse-keymap)))
    (pcase-dolist (`(,key . ,command)
                   '(("TAB" . devstral-ls-accept) ("<tab>" . devstral-ls-accept)
                     ("M-f" . devstral-ls-accept-word) ("C-e" . devstral-ls-accept-line)
                     ("M-n" . devstral-ls-next) ("M-p" . devstral-ls-previous)
                     ("C-g" . devstral-ls-dismiss)))
      (define-key map (kbd key)
        `(menu-item "" ,command :filter ,(if (eq command 'devstral-ls-accept) #'devstral-ls--tab
                                           #'devstral-ls--unless-inhibited))))
    map)
  "Keys while ghost text is visible, and only then.")

(defvar devstral-ls-mode-map (make-sparse-keymap)
  "Keys of `devstral-ls-mode': none but the menu; the commands are yours to bind.")

(easy-menu-define devstral-ls-menu devstral-ls-mode-map
  "Menu of `devstral-ls-mode'."
  '("Devstral"
    ["Code actions..." devstral-ls-code-actions]
    ["Rewrite..." devstral-ls-rewrite]
    ["Cancel what runs" devstral-ls-cancel :active devstral-ls--progress]
    "---"
    ["Suggestions on or off" devstral-ls-toggle]
    ["Snooze for 10 minutes" devstral-ls-snooze]
    ["Suggestions in this language on or off" devstral-ls-toggle-language]
    "---"
    ["Why is nothing shown here?" devstral-ls-why]
    ["Status" devstral-ls-status]
    ["Log" devstral-ls-log]))

;;;; The server of our own, shared by all buffers

(defclass devstral-ls-connection (jsonrpc-process-connection)
  ((capabilities :initform nil :accessor devstral-ls--capabilities)
   (folders :initform nil :accessor devstral-ls--folders))
  "A connection to `devstral-ls'.")

(defvar devstral-ls--step)
(defvar devstral-ls--own nil "Our connection, or nil.")
(defvar devstral-ls--status nil "What the server said last of its engine, a plist.")
(defvar devstral-ls--progress nil "Work that the server reports: an alist of tokens and plists.")
(defvar devstral-ls--deaths nil "Times at which the server ended by accident, newest first.")
(defvar devstral-ls--trouble nil "Why there is no server, or nil.")
(defvar devstral-ls--n-started 0 "How many servers we have started.")

(defconst devstral-ls--max-deaths 5
  "After so many ends within three minutes the server is not started again.")

(defvar-local devstral-ls--opened nil
  "What this buffer was sent as: (CONNECTION BUFFER URI), or nil.")
(defvar-local devstral-ls--version 0 "Version of the text, as sent.")
(defvar-local devstral-ls--changes nil "Changes not sent yet, newest first, or `full'.")
(defvar-local devstral-ls--before nil "Where the change that begins will be: (BEG END START-POSITION END-POSITION).")
(defvar-local devstral-ls--size 0 "Characters of the text, counted along the changes.")
(defvar-local devstral-ls--seen nil "`buffer-chars-modified-tick' after the last change that the hooks saw.")
(defvar-local devstral-ls--diagnostics nil "Findings of the server, as it sent them.")
(defvar-local devstral-ls--flymake nil "Flymake's function to report findings to.")

(defun devstral-ls--live (connection)
  "CONNECTION if it is alive and was initialized, else nil."
  (and connection (jsonrpc-running-p connection)
       (or (not (cl-typep connection 'devstral-ls-connection))
           (devstral-ls--capabilities connection))
       connection))

(defun devstral-ls--eglot ()
  "Eglot's server of this buffer, if it is capable of suggestions."
  (and devstral-ls-use-eglot
       (bound-and-true-p eglot--managed-mode)
       (eglot-current-server)
       (eglot--server-capable :inlineCompletionProvider)
       (eglot-current-server)))

(defun devstral-ls--server ()
  "The connection to ask for this buffer, or nil while there is none."
  (or (devstral-ls--live (devstral-ls--eglot))
      (devstral-ls--live devstral-ls--own)))

(defconst devstral-ls--no-events
  (if (slot-exists-p 'jsonrpc-connection '-events-buffer-config)
      '(:events-buffer-config (:size 0 :format full))
    '(:events-buffer-scrollback-size 0)) ; until Emacs 29; later ones warn of it
  "Nothing of what is written and suggested stays in a buffer.")

(defun devstral-ls--start ()
  "Start our server unless it is there or fails each time."
  (when (and (not devstral-ls--own) (not devstral-ls--trouble))
    (let ((default-directory (expand-file-name "~/")))
      (condition-case failure
          (devstral-ls--initialize
           (setq devstral-ls--own
                 (apply
                  #'make-instance 'devstral-ls-connection
                  ;; A name of its own: what an earlier one leaves behind is
                  ;; cleared away by name, and may be so late.
                  :name (format "devstral-ls-%d" (cl-incf devstral-ls--n-started))
                  :notification-dispatcher #'devstral-ls--on-notification
                  :request-dispatcher #'devstral-ls--on-request
                  :on-shutdown #'devstral-ls--on-end
                  :process (make-process
                            :name "devstral-ls" :command devstral-ls-command
                            :connection-type 'pipe :coding 'utf-8-emacs-unix :noquery t
                            :stderr (get-buffer-create "*devstral-ls log*"))
                  devstral-ls--no-events)))
        (file-missing
         (setq devstral-ls--own nil)
         (devstral-ls--give-up
          (format "%s is not on `exec-path'; (setq devstral-ls-command '(\"/path/to/devstral-ls\"))"
                  (car devstral-ls-command))))
        (error (setq devstral-ls--own nil)
               (devstral-ls--give-up (error-message-string failure)))))))

(defun devstral-ls--give-up (why)
  "Do without a server, and say WHY, once."
  (setq devstral-ls--trouble why
        devstral-ls--status nil)
  (force-mode-line-update t)
  (message "devstral-ls: %s (M-x devstral-ls-restart tries again)" why))

(defun devstral-ls--initialize (connection)
  "Begin the session on CONNECTION."
  (let ((folder (devstral-ls--folder)))
    (jsonrpc-async-request
     connection :initialize
     (list :processId (emacs-pid)
           :clientInfo (list :name "Emacs" :version emacs-version)
           :rootUri (plist-get folder :uri)
           :workspaceFolders (if folder (vector folder) [])
           :initializationOptions (or devstral-ls-settings (make-hash-table))
           :capabilities (devstral-ls--client-capabilities))
     :timeout 60
     :success-fn
     (lambda (result)
       (setf (devstral-ls--capabilities connection) (plist-get result :capabilities)
             (devstral-ls--folders connection) (and folder (list (plist-get folder :uri))))
       (jsonrpc-notify connection :initialized (make-hash-table))
       (dolist (buffer (buffer-list))
         (with-current-buffer buffer
           (when (bound-and-true-p devstral-ls-mode) (devstral-ls--schedule)))))
     :error-fn
     (lambda (failure)
       (devstral-ls--give-up (format "the server refused: %s" (plist-get failure :message)))
       (devstral-ls--stop))
     :timeout-fn
     (lambda ()
       (devstral-ls--give-up "the server does not answer")
       (devstral-ls--stop)))))

(defun devstral-ls--client-capabilities ()
  "What this client can do."
  (let ((nothing (make-hash-table)))
    `(:general (:positionEncodings ["utf-32" "utf-16"])
      :textDocument
      (:synchronization (:didSave t)
       :inlineCompletion (:dynamicRegistration :json-false)
       :publishDiagnostics (:relatedInformation t :versionSupport t)
       :codeAction (:codeActionLiteralSupport
                    (:codeActionKind (:valueSet ["quickfix" "refactor" "refactor.rewrite" "refactor.extract" "source"]))
                    :isPreferredSupport t :disabledSupport t :dataSupport t
                    :resolveSupport (:properties ["edit"])))
      :window (:workDoneProgress t :showDocument (:support t))
      :workspace (:applyEdit t :workspaceFolders t :configuration t :executeCommand ,nothing
                  :workspaceEdit (:documentChanges t :resourceOperations ["create"]))
      :experimental (:devstral (:asksInstruction t)))))

(defun devstral-ls--folder ()
  "The project of this buffer as a workspace folder, or nil."
  (when-let* ((project (and buffer-file-name (not (file-remote-p buffer-file-name)) (project-current)))
              (root (expand-file-name (if (fboundp 'project-root) (project-root project) (cdr project)))))
    (list :uri (devstral-ls--file-uri (directory-file-name root))
          :name (file-name-nondirectory (directory-file-name root)))))

(defun devstral-ls--on-end (connection)
  "CONNECTION has ended: start anew with the next change, unless it ends each time."
  (when (eq connection devstral-ls--own)
    (setq devstral-ls--own nil devstral-ls--progress nil devstral-ls--status nil)
    (let ((now (float-time)))
      (setq devstral-ls--deaths (cons now (cl-remove-if (lambda (then) (> (- now then) 180)) devstral-ls--deaths)))
      (if (>= (length devstral-ls--deaths) devstral-ls--max-deaths)
          (devstral-ls--give-up "the server ended again and again; see *devstral-ls log*")
        (run-with-timer (length devstral-ls--deaths) nil #'devstral-ls--revive)))
    (force-mode-line-update t)))

(defun devstral-ls--revive ()
  "Start the server for the buffers that want it."
  (when (cl-some (lambda (buffer) (buffer-local-value 'devstral-ls-mode buffer)) (buffer-list))
    (devstral-ls--start)))

(defun devstral-ls--stop ()
  "End our server, with all of its processes."
  (when-let ((connection devstral-ls--own))
    (setq devstral-ls--own nil devstral-ls--status nil devstral-ls--progress nil)
    (ignore-errors
      (when (devstral-ls--live connection)
        (jsonrpc-request connection :shutdown nil :timeout 1)
        (jsonrpc-notify connection :exit nil)))
    (let ((process (jsonrpc--process connection)))
      (with-timeout (1.5 (delete-process process))
        (while (process-live-p process) (accept-process-output process 0.02)))))
  (force-mode-line-update t))

;;;; What the server says

(defun devstral-ls--on-notification (_connection method params)
  "Take the notification METHOD with PARAMS."
  (pcase method
    ('devstral/status
     (setq devstral-ls--status params)
     (force-mode-line-update t))
    ('$/progress (devstral-ls--on-progress (plist-get params :token) (plist-get params :value)))
    ('textDocument/publishDiagnostics (devstral-ls--on-diagnostics params))
    ('window/showMessage (message "%s" (plist-get params :message))))) ; it says whose it is

(defun devstral-ls--on-request (_connection method params)
  "Answer the request METHOD with PARAMS."
  (pcase method
    ('workspace/applyEdit (devstral-ls--on-apply-edit params))
    ('window/showDocument (devstral-ls--on-show-document params))
    ('workspace/configuration (vconcat (mapcar #'devstral-ls--configuration (plist-get params :items))))
    ('workspace/workspaceFolders (vconcat (ensure-list (devstral-ls--folder))))
    ((or 'window/workDoneProgress/create 'client/registerCapability 'client/unregisterCapability) nil)
    (_ (jsonrpc-error :code -32601 :message (format "%s is not known here" method)))))

(defun devstral-ls--on-progress (token value)
  "Remember that the work TOKEN is at VALUE, for the mode line."
  (let ((title (plist-get (cdr (assoc token devstral-ls--progress)) :title)))
    (setq devstral-ls--progress (cl-remove token devstral-ls--progress :key #'car :test #'equal))
    (if (equal (plist-get value :kind) "end")
        (progn
          (when-let ((said (plist-get value :message))) (message "devstral-ls: %s" said))
          (dolist (buffer (buffer-list)) ; what comes next is another step to undo
            (with-current-buffer buffer (setq devstral-ls--step nil))))
      ;; Only the beginning has the title.
      (push (cons token (append value (and title (list :title title)))) devstral-ls--progress)))
  (force-mode-line-update t))

(defun devstral-ls--on-show-document (params)
  "Show the document that PARAMS name."
  (let ((path (devstral-ls--uri-file (plist-get params :uri))))
    (run-at-time 0 nil (lambda ()
                         ;; The server writes its explanations anew.
                         (let ((revert-without-query '(".")))
                           (display-buffer (find-file-noselect path)))))
    '(:success t)))

(defun devstral-ls--on-diagnostics (params)
  "Keep the findings in PARAMS and hand them to Flymake."
  (when-let ((buffer (devstral-ls--uri-buffer (plist-get params :uri))))
    (with-current-buffer buffer
      (setq devstral-ls--diagnostics (append (plist-get params :diagnostics) nil))
      ;; The user asked for them: they must be seen. Eglot takes Flymake for itself in some of its versions.
      (add-hook 'flymake-diagnostic-functions #'devstral-ls--flymake-backend nil t)
      (when (and devstral-ls--diagnostics (not (bound-and-true-p flymake-mode))) (flymake-mode))
      (if devstral-ls--flymake (devstral-ls--report)
        (when devstral-ls--diagnostics (flymake-start))))))

;;;; Positions and text

(defun devstral-ls--file-uri (path)
  "The URI of the file PATH."
  (concat "file://" (url-hexify-string (expand-file-name path) url-path-allowed-chars)))

(defun devstral-ls--uri ()
  "The URI of this buffer."
  (if (and buffer-file-name (not (file-remote-p buffer-file-name)))
      (devstral-ls--file-uri buffer-file-name)
    (concat "untitled:" (url-hexify-string (or buffer-file-name (buffer-name))))))

(defun devstral-ls--uri-file (uri)
  "The path of the file URI."
  (decode-coding-string (url-unhex-string (string-remove-prefix "file://" uri)) 'utf-8))

(defun devstral-ls--uri-buffer (uri)
  "The buffer of ours whose URI is URI."
  (cl-find-if (lambda (buffer)
                (with-current-buffer buffer
                  (and (bound-and-true-p devstral-ls-mode) (equal (devstral-ls--uri) uri))))
              (buffer-list)))

(defun devstral-ls--position (place)
  "PLACE in the buffer as an LSP position in code points."
  (save-excursion
    (save-restriction
      (widen)
      (goto-char place)
      (let ((inhibit-field-text-motion t))
        (list :line (1- (line-number-at-pos place t)) :character (- place (line-beginning-position)))))))

(defun devstral-ls--place (position)
  "The place in the buffer of the LSP POSITION in code points."
  (save-excursion
    (save-restriction
      (widen)
      (goto-char (point-min))
      (forward-line (plist-get position :line))
      (let ((inhibit-field-text-motion t))
        (min (+ (point) (plist-get position :character)) (line-end-position))))))

(defconst devstral-ls--unsendable
  (rx (any ?\r (#xd800 . #xdfff) (#x110000 . #x3fffff)))
  "What JSON cannot hold, and carriage returns.
Those would be line ends to the server.")

(defun devstral-ls--text (beg end)
  "The text from BEG to END as it is sent.
It has the same number of code points and lines."
  (let ((text (string-to-multibyte (buffer-substring-no-properties beg end)))
        (case-fold-search nil)) ; else these ranges are folded anew for each key: 18 ms
    (if (string-match-p devstral-ls--unsendable text)
        (replace-regexp-in-string devstral-ls--unsendable "\ufffd" text t t)
      text)))

(defconst devstral-ls--languages
  '(("c++" . "cpp") ("js" . "javascript") ("js2" . "javascript") ("js-json" . "json") ("js-jsx" . "javascriptreact")
    ("tsx" . "typescriptreact") ("sh" . "shellscript") ("bash" . "shellscript") ("csharp" . "csharp")
    ("mhtml" . "html") ("emacs-lisp" . "elisp") ("cperl" . "perl"))
  "Language ids that a major mode's name does not tell.")

(defun devstral-ls--language ()
  "The language id of this buffer."
  (let ((name (replace-regexp-in-string "\\(-ts\\)?-mode\\'" "" (symbol-name major-mode))))
    (or (cdr (assoc name devstral-ls--languages)) name)))

;;;; Synchronization

(defun devstral-ls--open-p ()
  "True when our server knows this buffer, by the name it has now."
  (equal devstral-ls--opened (list devstral-ls--own (current-buffer) (devstral-ls--uri))))

(defun devstral-ls--open ()
  "Send the buffer's text to our server, once for each of its names."
  (unless (devstral-ls--open-p)
    (devstral-ls--close) ; by the name it had before
    (devstral-ls--add-folder)
    (setq devstral-ls--opened (list devstral-ls--own (current-buffer) (devstral-ls--uri))
          devstral-ls--changes nil
          devstral-ls--seen (buffer-chars-modified-tick))
    (save-restriction
      (widen)
      (setq devstral-ls--size (buffer-size))
      (jsonrpc-notify devstral-ls--own :textDocument/didOpen
                      (list :textDocument
                            (list :uri (devstral-ls--uri) :languageId (devstral-ls--language)
                                  :version (cl-incf devstral-ls--version)
                                  :text (devstral-ls--text (point-min) (point-max))))))))

(defun devstral-ls--add-folder ()
  "Tell the server of this buffer's project, if it did not know it and wants to."
  (when-let* ((folder (devstral-ls--folder))
              (uri (plist-get folder :uri))
              (wants (plist-get (plist-get (plist-get (devstral-ls--capabilities devstral-ls--own) :workspace)
                                           :workspaceFolders)
                                :supported)))
    (unless (or (eq wants :json-false) (member uri (devstral-ls--folders devstral-ls--own)))
      (push uri (devstral-ls--folders devstral-ls--own))
      (jsonrpc-notify devstral-ls--own :workspace/didChangeWorkspaceFolders
                      (list :event (list :added (vector folder) :removed []))))))

(defun devstral-ls--close ()
  "Take the buffer's text back, where it was this buffer that sent it."
  (pcase-let ((`(,connection ,buffer ,uri) devstral-ls--opened))
    (when (and connection (eq buffer (current-buffer)) (eq connection (devstral-ls--live devstral-ls--own)))
      (jsonrpc-notify connection :textDocument/didClose (list :textDocument (list :uri uri)))))
  (setq devstral-ls--opened nil))

(defun devstral-ls--before-change (beg end)
  "Note where the text from BEG to END is while it is still there."
  (when devstral-ls--opened
    (unless (eql devstral-ls--seen (buffer-chars-modified-tick)) ; changed behind the hooks
      (setq devstral-ls--changes 'full))
    (setq devstral-ls--before
          (list beg end (devstral-ls--position beg) (devstral-ls--position end)))))

(defun devstral-ls--after-change (beg end length)
  "Note that LENGTH characters at BEG have become those from BEG to END."
  (when devstral-ls--opened
    (cl-incf devstral-ls--size (- end beg length))
    (setq devstral-ls--seen (buffer-chars-modified-tick))
    (pcase-let ((`(,from ,to ,start ,stop) devstral-ls--before))
      (cond
       ((eq devstral-ls--changes 'full))
       ;; Not what was announced: some commands announce more, or nothing.
       ((not (and from (= from beg) (= (- to from) length)))
        (setq devstral-ls--changes 'full))
       (t (push (list :range (list :start start :end stop)
                      :text (save-restriction (widen) (devstral-ls--text beg end)))
                devstral-ls--changes))))
    (setq devstral-ls--before nil)))

(defun devstral-ls--flush ()
  "Send what has changed."
  (devstral-ls--open)
  ;; Changed behind the hooks, as by an indirect buffer of the same text.
  (unless (and (= devstral-ls--size (buffer-size)) (eql devstral-ls--seen (buffer-chars-modified-tick)))
    (setq devstral-ls--changes 'full
          devstral-ls--size (buffer-size)
          devstral-ls--seen (buffer-chars-modified-tick)))
  (when devstral-ls--changes
    (jsonrpc-notify
     devstral-ls--own :textDocument/didChange
     (list :textDocument (list :uri (devstral-ls--uri) :version (cl-incf devstral-ls--version))
           :contentChanges
           (if (eq devstral-ls--changes 'full)
               (save-restriction (widen) (vector (list :text (devstral-ls--text (point-min) (point-max)))))
             (vconcat (nreverse devstral-ls--changes)))))
    (setq devstral-ls--changes nil)))

(defun devstral-ls--saved ()
  "Tell the server that the buffer was saved."
  (when (and devstral-ls--opened (devstral-ls--live devstral-ls--own))
    (devstral-ls--flush)
    (jsonrpc-notify devstral-ls--own :textDocument/didSave
                    (list :textDocument (list :uri (devstral-ls--uri))))))

(defun devstral-ls--sync (server)
  "Make SERVER know the text as it is now."
  (if (eq server devstral-ls--own) (devstral-ls--flush) (eglot--signal-textDocument/didChange)))

(defun devstral-ls--document (server)
  "Identifier and version of this buffer, as SERVER knows it."
  (if (eq server devstral-ls--own)
      (list :uri (devstral-ls--uri) :version devstral-ls--version)
    (eglot--VersionedTextDocumentIdentifier)))

(defun devstral-ls--to-position (server place)
  "PLACE as a position in the encoding that SERVER was promised."
  (if (eq server devstral-ls--own) (devstral-ls--position place) (eglot--pos-to-lsp-position place)))

(defun devstral-ls--to-place (server position)
  "The place of POSITION, which SERVER said."
  (if (eq server devstral-ls--own) (devstral-ls--place position) (eglot--lsp-position-to-point position)))

;;;; Asking

(defvar-local devstral-ls--timer nil "Runs until the user pauses.")
(defvar-local devstral-ls--request nil "The request on its way: (SERVER . ID).")
(defvar-local devstral-ls--tick nil "`buffer-chars-modified-tick' after the last command.")
(defvar-local devstral-ls--point nil "Point after the last command.")

(defun devstral-ls--cancel ()
  "Take back the request on its way and the one to come."
  (when devstral-ls--timer
    (cancel-timer devstral-ls--timer)
    (setq devstral-ls--timer nil))
  (pcase-let ((`(,server . ,id) devstral-ls--request))
    (setq devstral-ls--request nil)
    (when (and id (devstral-ls--live server))
      (jsonrpc-notify server :$/cancelRequest (list :id id)))))

(defun devstral-ls--schedule ()
  "Ask as soon as the user pauses."
  (devstral-ls--cancel)
  (let ((buffer (current-buffer)))
    (setq devstral-ls--timer
          (run-with-idle-timer
           devstral-ls-delay nil
           (lambda ()
             (when (buffer-live-p buffer)
               (with-current-buffer buffer
                 (setq devstral-ls--timer nil)
                 (when (and devstral-ls-mode (eq buffer (window-buffer)))
                   (devstral-ls--ask 2)))))))))

(defun devstral-ls--ask (trigger)
  "Ask for suggestions at point.
TRIGGER is 1 for a request by key, 2 for an automatic one."
  (devstral-ls--cancel)
  (if-let ((server (devstral-ls--server)))
      (progn
        (devstral-ls--sync server)
        (devstral-ls--tell-diagnostics server)
        (unless (or buffer-read-only executing-kbd-macro)
          (let* ((buffer (current-buffer)) (tick (buffer-chars-modified-tick)) (place (point)) sent)
            (setq sent
                  ;; `jsonrpc-async-request' does not tell the id, without which nothing can be cancelled.
                  (jsonrpc--async-request-1
                   server :textDocument/inlineCompletion
                   (list :textDocument (list :uri (plist-get (devstral-ls--document server) :uri))
                         :position (devstral-ls--to-position server place)
                         :context (list :triggerKind trigger))
                   :timeout 300
                   :success-fn
                   (lambda (result)
                     (when (buffer-live-p buffer)
                       (with-current-buffer buffer
                         (when (equal (cdr devstral-ls--request) (car-safe sent)) (setq devstral-ls--request nil))
                         (when (and devstral-ls-mode (= tick (buffer-chars-modified-tick)) (= place (point)))
                           (devstral-ls--answer server result trigger)))))
                   :error-fn #'ignore
                   :timeout-fn #'ignore))
            (setq devstral-ls--request (cons server (car-safe sent))))))
    (devstral-ls--start)
    (when (= trigger 1) (message "devstral-ls: %s" (or devstral-ls--trouble "the server is starting")))))

(defun devstral-ls--answer (server result trigger)
  "Draw what SERVER answered, RESULT, to a request that came by TRIGGER."
  (let ((items (append (if (vectorp result) result (plist-get result :items)) nil)))
    (cond (items (devstral-ls--show server items))
          (t (devstral-ls--clear)
             (when (= trigger 1) (message "devstral-ls: nothing to suggest here (M-x devstral-ls-why)"))))))

(defconst devstral-ls--diagnosed-lines 60
  "How far from point, in lines, the server is told of what Flymake says.")

(defvar-local devstral-ls--diagnosed nil "What the server was told last of what Flymake says.")

(defun devstral-ls--tell-diagnostics (server)
  "Tell SERVER what Flymake's other backends say of the code around point.
A server hears of no other; it decides what of this is of use."
  (when (bound-and-true-p flymake-mode)
    (let* ((begin (line-beginning-position (- 1 devstral-ls--diagnosed-lines)))
           (end (line-end-position (1+ devstral-ls--diagnosed-lines)))
           (found (delq nil (mapcar (lambda (one) (devstral-ls--diagnostic server one))
                                    (flymake-diagnostics begin end)))))
      (unless (equal found devstral-ls--diagnosed)
        (setq devstral-ls--diagnosed found)
        (jsonrpc-notify server :devstral/diagnostics
                        (append (devstral-ls--document server) (list :diagnostics (vconcat found))))))))

(defun devstral-ls--diagnostic (server found)
  "FOUND by Flymake in LSP's form for SERVER, unless the server found it itself."
  (let ((severity (pcase (symbol-name (flymake-diagnostic-type found))
                    ((rx "error") 1) ((rx "warning") 2) (_ 3))))
    (unless (eq (flymake-diagnostic-backend found) #'devstral-ls--flymake-backend)
      (list :range (devstral-ls--range server (flymake-diagnostic-beg found) (flymake-diagnostic-end found))
            :severity severity
            :message (flymake-diagnostic-text found)))))

(defun devstral-ls--execute (server command &rest arguments)
  "Have SERVER execute COMMAND with ARGUMENTS, without waiting."
  (when (devstral-ls--live server)
    (jsonrpc-async-request server :workspace/executeCommand
                           (list :command command :arguments (vconcat arguments))
                           :timeout 600 :success-fn #'ignore
                           :error-fn (lambda (failure) (message "devstral-ls: %s" (plist-get failure :message)))
                           :timeout-fn #'ignore)))

;;;; Ghost text

(cl-defstruct (devstral-ls--ghost (:constructor devstral-ls--make-ghost))
  "A suggestion on the screen."
  server text begin end command overlay)

(defvar-local devstral-ls--shown nil "The ghost on the screen, or nil.")
(defvar-local devstral-ls--items nil "Everything the server offered for this place.")
(defvar-local devstral-ls--active nil "Non-nil while the keys of `devstral-ls-active-map' are in force.")

(defun devstral-ls-popup-visible-p ()
  "True when the popup of company or corfu is open: its keys come first."
  (or (bound-and-true-p company-candidates)
      (and (frame-live-p (bound-and-true-p corfu--frame)) (frame-visible-p corfu--frame))
      completion-in-region-mode))

(defun devstral-ls-evil-command-p ()
  "True when Evil is in a state in which nothing is being typed."
  (and (bound-and-true-p evil-local-mode) (not (memq evil-state '(insert replace emacs)))))

(defun devstral-ls--show (server items &optional index)
  "Show the one of SERVER's ITEMS that is number INDEX, the first by default."
  (let* ((item (nth (or index 0) items))
         (inserted (plist-get item :insertText))
         (text (if (stringp inserted) inserted (plist-get inserted :value)))
         (range (plist-get item :range))
         (begin (if range (devstral-ls--to-place server (plist-get range :start)) (point)))
         (end (if range (devstral-ls--to-place server (plist-get range :end)) (point))))
    (devstral-ls--clear)
    (when (<= begin (point) end)
      (setq devstral-ls--items items
            devstral-ls--shown
            (devstral-ls--make-ghost :server server :text text :begin (copy-marker begin) :end (copy-marker end t)
                                     :command (plist-get item :command)))
      (devstral-ls--draw))))

(defun devstral-ls--rest ()
  "What of the shown suggestion was not typed yet, or nil if something else was."
  (when-let* ((ghost devstral-ls--shown)
              (begin (devstral-ls--ghost-begin ghost))
              (text (devstral-ls--ghost-text ghost)))
    (when (<= begin (point) (devstral-ls--ghost-end ghost))
      (let ((typed (buffer-substring-no-properties begin (point))))
        (and (string-prefix-p typed text)
             (> (length text) (length typed))
             (substring text (length typed)))))))

(defun devstral-ls--draw ()
  "Draw the rest of the suggestion at point.
Draw nothing where it does not fit any more."
  (if-let ((rest (devstral-ls--rest)))
      (let* ((end (devstral-ls--ghost-end devstral-ls--shown))
             (ghost (propertize rest 'face 'devstral-ls-ghost))
             (overlay (or (devstral-ls--ghost-overlay devstral-ls--shown)
                          (setf (devstral-ls--ghost-overlay devstral-ls--shown)
                                (make-overlay (point) (point) nil t nil))))
             (hidden (run-hook-with-args-until-success 'devstral-ls-inhibit-functions)))
        (put-text-property 0 1 'cursor t ghost) ; else the cursor is drawn behind it
        (move-overlay overlay (point) end)
        (overlay-put overlay 'devstral-ls t)
        (overlay-put overlay 'window (selected-window)) ; where point is another one, it would be out of place
        (overlay-put overlay 'after-string nil)
        (overlay-put overlay 'display nil)
        (unless hidden
          ;; What the suggestion replaces, an auto-closed bracket for example, is hidden meanwhile.
          (if (= (point) end) (overlay-put overlay 'after-string ghost)
            (overlay-put overlay 'display ghost)))
        (setq devstral-ls--active (not hidden)))
    (devstral-ls--clear)))

(defun devstral-ls--redraw (&rest _)
  "Draw anew: a popup has opened or closed."
  (when devstral-ls--shown (devstral-ls--draw)))

(defun devstral-ls--window-changed (window)
  "Take the ghost text away where the user went from WINDOW to another.
The minibuffer does not count: commands are called from there."
  (unless (or (eq window (selected-window)) (window-minibuffer-p (selected-window)))
    (with-current-buffer (window-buffer window)
      (devstral-ls--cancel)
      (devstral-ls--clear))))

(defun devstral-ls--clear ()
  "Draw nothing."
  (when devstral-ls--shown
    (when-let ((overlay (devstral-ls--ghost-overlay devstral-ls--shown))) (delete-overlay overlay))
    (set-marker (devstral-ls--ghost-begin devstral-ls--shown) nil)
    (set-marker (devstral-ls--ghost-end devstral-ls--shown) nil))
  (setq devstral-ls--shown nil devstral-ls--items nil devstral-ls--active nil))

(defun devstral-ls--after-command ()
  "Follow what the last command did.
Ask after a change, draw no ghost text at another place."
  (let ((tick (buffer-chars-modified-tick)))
    (cond ((not (eql tick devstral-ls--tick))
           (setq devstral-ls--tick tick)
           (when devstral-ls--shown (devstral-ls--draw)) ; typed through, or gone
           (devstral-ls--schedule))
          ((not (eql (point) devstral-ls--point))
           (devstral-ls--cancel)
           (devstral-ls--clear))
          (devstral-ls--shown (devstral-ls--draw)))
    (setq devstral-ls--point (point))))

(defun devstral-ls--typed (text)
  "Insert TEXT, the next part of the suggestion.
If that was all of it, tell the server."
  (let* ((ghost devstral-ls--shown) (whole (equal text (devstral-ls--rest))))
    (devstral-ls--cancel)
    (when whole
      (when-let ((overlay (devstral-ls--ghost-overlay ghost))) (delete-overlay overlay))
      (delete-region (point) (devstral-ls--ghost-end ghost)))
    (insert text)
    (when whole
      (when-let ((command (devstral-ls--ghost-command ghost)))
        (apply #'devstral-ls--execute (devstral-ls--ghost-server ghost)
               (plist-get command :command) (append (plist-get command :arguments) nil)))
      (devstral-ls--clear))))

(defun devstral-ls--need-rest ()
  "What is left of the suggestion; an error if there is none."
  (or (devstral-ls--rest) (user-error "No suggestion here")))

(defun devstral-ls-accept ()
  "Take the whole suggestion, in one undo step."
  (interactive)
  (devstral-ls--typed (devstral-ls--need-rest)))

(defun devstral-ls-accept-indentation ()
  "Take the indentation that the suggestion begins with."
  (interactive)
  (let ((rest (devstral-ls--need-rest)))
    (string-match (rx bos (* (any " \t"))) rest)
    (devstral-ls--typed (match-string 0 rest))))

(defun devstral-ls-accept-word ()
  "Take the next word of the suggestion."
  (interactive)
  (let ((rest (devstral-ls--need-rest)))
    (devstral-ls--typed (if (string-match (rx bos (* (not (any word ?_))) (+ (any word ?_))) rest)
                            (match-string 0 rest)
                          rest))))

(defun devstral-ls-accept-line ()
  "Take the suggestion up to the end of its next line."
  (interactive)
  (let ((rest (devstral-ls--need-rest)))
    (devstral-ls--typed (if (string-match (rx bos (* "\n") (+ nonl)) rest) (match-string 0 rest) rest))))

(defun devstral-ls-dismiss ()
  "Take the suggestion away; it does not come back at this place by itself."
  (interactive)
  (when-let* ((ghost devstral-ls--shown)
              (arguments (append (plist-get (devstral-ls--ghost-command ghost) :arguments) nil)))
    (apply #'devstral-ls--execute (devstral-ls--ghost-server ghost) "devstral.rejected" arguments))
  (devstral-ls--cancel)
  (devstral-ls--clear))

(defun devstral-ls-next (&optional step)
  "Show the next suggestion for this place, or the one STEP further."
  (interactive)
  (let* ((items devstral-ls--items)
         (shown (and devstral-ls--shown (devstral-ls--ghost-command devstral-ls--shown)))
         (now (or (cl-position shown items :key (lambda (item) (plist-get item :command)) :test #'equal) 0)))
    (if (< (length items) 2) (message "devstral-ls: there is no other suggestion")
      (devstral-ls--show (devstral-ls--ghost-server devstral-ls--shown) items
                         (mod (+ now (or step 1)) (length items))))))

(defun devstral-ls-previous ()
  "Show the previous suggestion for this place."
  (interactive)
  (devstral-ls-next -1))

(defun devstral-ls-complete ()
  "Ask for a suggestion at point, whatever the server thinks of the place."
  (interactive)
  (devstral-ls--ask 1))

;;;; Code actions

(defvar-local devstral-ls--step nil
  "The undo step that edits of the server go into: (HANDLE . TICK).")

(defun devstral-ls--apply-text-edits (edits)
  "Apply LSP's EDITS to this buffer, in one undo step."
  (let ((places (mapcar (lambda (edit)
                          (let ((range (plist-get edit :range)))
                            (list (copy-marker (devstral-ls--place (plist-get range :start)))
                                  (copy-marker (devstral-ls--place (plist-get range :end)))
                                  (plist-get edit :newText))))
                        edits)))
    (devstral-ls--in-one-step
     (lambda ()
       (save-restriction
         (widen)
         (save-excursion
           (pcase-dolist (`(,begin ,end ,text) (reverse places))
             (goto-char begin)
             (delete-region begin end)
             (insert text)
             (set-marker begin nil)
             (set-marker end nil))))))))

(defun devstral-ls--in-one-step (change)
  "Call CHANGE, in one undo step with what the same work did before it.
What the user has changed meanwhile is a step of its own."
  (if (eq buffer-undo-list t) (funcall change)
    (unless (and devstral-ls--step (eql (cdr devstral-ls--step) (buffer-chars-modified-tick)))
      (undo-boundary)
      (setq devstral-ls--step (list (prepare-change-group)))
      (activate-change-group (car devstral-ls--step)))
    (funcall change)
    (undo-amalgamate-change-group (car devstral-ls--step))
    (setcdr devstral-ls--step (buffer-chars-modified-tick))))

(defun devstral-ls--apply-workspace-edit (edit)
  "Apply LSP's workspace EDIT.
Where a document has moved on, signal an error and change nothing."
  (let (steps)
    (mapc (lambda (change)
            (if (plist-get change :kind)
                (push (cons 'create (plist-get change :uri)) steps)
              (push (list (plist-get (plist-get change :textDocument) :uri)
                          (plist-get (plist-get change :textDocument) :version)
                          (append (plist-get change :edits) nil))
                    steps)))
          (plist-get edit :documentChanges))
    (unless steps
      (cl-loop for (uri edits) on (plist-get edit :changes) by #'cddr
               do (push (list (substring (symbol-name uri) 1) nil (append edits nil)) steps)))
    (setq steps (nreverse steps))
    (pcase-dolist (`(,uri ,version . ,_) (cl-remove 'create steps :key #'car))
      (when-let ((buffer (and version (devstral-ls--uri-buffer uri))))
        (with-current-buffer buffer
          (when (or devstral-ls--changes (/= version devstral-ls--version))
            (error "%s was changed meanwhile" (buffer-name))))))
    (dolist (step steps)
      (if (eq (car step) 'create)
          (display-buffer (find-file-noselect (devstral-ls--uri-file (cdr step))))
        (with-current-buffer (or (devstral-ls--uri-buffer (car step))
                                 (find-file-noselect (devstral-ls--uri-file (car step))))
          (devstral-ls--apply-text-edits (nth 2 step))
          (when devstral-ls-mode (devstral-ls--clear) (devstral-ls--flush)))))))

(defun devstral-ls--on-apply-edit (params)
  "Apply the edit in PARAMS and say whether that went well."
  (condition-case failure
      (progn (devstral-ls--apply-workspace-edit (plist-get params :edit)) '(:applied t))
    (error (list :applied :json-false :failureReason (error-message-string failure)))))

(defun devstral-ls--region ()
  "Beginning and end of the region, or twice point."
  (if (use-region-p) (list (region-beginning) (region-end)) (list (point) (point))))

(defun devstral-ls--range (server begin end)
  "BEGIN to END as a range for SERVER."
  (list :start (devstral-ls--to-position server begin) :end (devstral-ls--to-position server end)))

(defun devstral-ls--need-server ()
  "The connection to ask for this buffer; an error if there is none."
  (or (devstral-ls--server)
      (progn (devstral-ls--start) (user-error "devstral-ls: %s" (or devstral-ls--trouble "the server is starting")))))

(defun devstral-ls-code-actions (begin end)
  "Choose one of devstral-ls's code actions from BEGIN to END, and run it."
  (interactive (devstral-ls--region))
  (let ((server (devstral-ls--need-server)))
    (if (not (eq server devstral-ls--own))
        (call-interactively #'eglot-code-actions)
      (devstral-ls--flush)
      (let* ((range (devstral-ls--range server begin end))
             (actions (jsonrpc-request
                       server :textDocument/codeAction
                       (list :textDocument (list :uri (devstral-ls--uri)) :range range
                             :context (list :diagnostics (devstral-ls--diagnostics-at begin end) :triggerKind 1))))
             (choices (mapcar (lambda (action) (cons (devstral-ls--action-title action) action)) actions)))
        (unless choices (user-error "No actions here"))
        (devstral-ls--run-action
         server (cdr (assoc (completing-read "Action: " choices nil t) choices)))))))

(defun devstral-ls--action-title (action)
  "How ACTION is offered."
  (if-let ((disabled (plist-get action :disabled)))
      (format "%s (not now: %s)" (plist-get action :title) (plist-get disabled :reason))
    (plist-get action :title)))

(defun devstral-ls--run-action (server action)
  "Have SERVER run ACTION, without waiting: the edit comes when it is ready."
  (cond
   ((plist-get action :disabled) (user-error "%s" (plist-get (plist-get action :disabled) :reason)))
   ((plist-get action :edit) (devstral-ls--apply-workspace-edit (plist-get action :edit)))
   ((plist-get action :command)
    (let ((command (if (stringp (plist-get action :command)) action (plist-get action :command))))
      (apply #'devstral-ls--execute server (plist-get command :command)
             (mapcar #'devstral-ls--with-instruction (plist-get command :arguments)))))
   (t (jsonrpc-async-request
       server :codeAction/resolve action :timeout 600
       :success-fn (lambda (resolved)
                     (condition-case failure
                         (if (or (plist-get resolved :edit) (plist-get resolved :command))
                             (devstral-ls--run-action server resolved)
                           (message "devstral-ls: nothing came of it"))
                       (error (message "devstral-ls: %s" (error-message-string failure)))))
       :error-fn (lambda (failure) (message "devstral-ls: %s" (plist-get failure :message)))
       :timeout-fn (lambda () (message "devstral-ls: the action takes too long"))))))

(defun devstral-ls--with-instruction (argument)
  "ARGUMENT of a command, with the instruction that its action needs."
  (if (and (listp argument) (equal (plist-get argument :action) "rewrite") (not (plist-get argument :instruction)))
      (append argument (list :instruction (read-string "Rewrite how? ")))
    argument))

(defun devstral-ls-rewrite (begin end instruction)
  "Have the text from BEGIN to END rewritten by INSTRUCTION.
Without a region, that is the definition around point."
  (interactive (append (devstral-ls--region) (list (read-string "Rewrite how? "))))
  (let ((server (devstral-ls--need-server)))
    (devstral-ls--sync server)
    (let ((document (devstral-ls--document server)))
      (devstral-ls--execute server "devstral.runAction"
                            (list :action "rewrite" :uri (plist-get document :uri)
                                  :version (plist-get document :version)
                                  :range (devstral-ls--range server begin end) :instruction instruction)))))

(defun devstral-ls-cancel ()
  "Stop the work that the server reports in the mode line."
  (interactive)
  (let ((server (devstral-ls--need-server)))
    (dolist (work devstral-ls--progress)
      (jsonrpc-notify server :window/workDoneProgress/cancel (list :token (car work))))))

(defun devstral-ls-clear-review ()
  "Take the findings of a review away."
  (interactive)
  (devstral-ls--execute (devstral-ls--need-server) "devstral.clearReview"))

;;;; Findings, through Flymake

(defun devstral-ls--flymake-backend (report &rest _more)
  "Flymake backend: what the server found, to REPORT."
  (setq devstral-ls--flymake report)
  (devstral-ls--report))

(defun devstral-ls--report ()
  "Give the findings to Flymake, if it is on."
  (when (and devstral-ls--flymake (bound-and-true-p flymake-mode))
    (funcall devstral-ls--flymake
             (mapcar (lambda (finding)
                       (let* ((range (plist-get finding :range))
                              (begin (devstral-ls--place (plist-get range :start)))
                              (end (devstral-ls--place (plist-get range :end))))
                         (flymake-make-diagnostic
                          (current-buffer) begin (max end (min (1+ begin) (point-max)))
                          (pcase (plist-get finding :severity) (1 :error) (2 :warning) (_ :note))
                          (plist-get finding :message) finding)))
                     devstral-ls--diagnostics)
             :region (save-restriction (widen) (cons (point-min) (point-max))))))

(defun devstral-ls--diagnostics-at (begin end)
  "The findings between BEGIN and END in LSP's form.
Those of other Flymake backends are among them."
  (vconcat
   (when (bound-and-true-p flymake-mode)
     (mapcar (lambda (found)
               (let ((data (flymake-diagnostic-data found)))
                 (if (and (listp data) (plist-get data :range)) data
                   (list :range (devstral-ls--range devstral-ls--own
                                                    (flymake-diagnostic-beg found)
                                                    (flymake-diagnostic-end found))
                         :severity 1
                         :message (flymake-diagnostic-text found)))))
             (flymake-diagnostics begin end)))))

;;;; Status

(defconst devstral-ls--signs
  '(("ready" . "") ("generating" . "…") ("loading" . ":loading") ("starting" . ":starting") ("absent" . ":no model")
    ("calibrating" . ":measuring") ("slow" . ":by key") ("lost" . ":lost") ("failed" . ":failed"))
  "The signs in the mode line for the states of the engine.")

(defun devstral-ls-status-text ()
  "The state in a few words, for a mode line of your own."
  (let ((state (plist-get devstral-ls--status :state))
        (downloads (plist-get devstral-ls--status :progress))
        (percent (cl-some (lambda (work) (plist-get (cdr work) :percentage)) devstral-ls--progress)))
    (concat "Devstral"
            (cond (devstral-ls--trouble ":no server")
                  ((not devstral-ls--own) (if (devstral-ls--eglot) "" ":off"))
                  ((not state) ":starting")
                  ((and downloads (equal state "absent")) ":fetching")
                  (t (or (cdr (assoc state devstral-ls--signs)) (concat ":" state))))
            (if percent (format " %d%%%%" percent) ""))))

(defun devstral-ls--lighter ()
  "The text of `devstral-ls-mode' in the mode line."
  (concat " " (propertize (devstral-ls-status-text) 'help-echo (devstral-ls--status-lines))))

(defun devstral-ls--status-lines ()
  "Everything that is known of the server's state."
  (let ((latency (plist-get devstral-ls--status :latencyMs))
        (model (plist-get devstral-ls--status :model)))
    (string-join
     (delq nil `(,devstral-ls--trouble
                 ,@(mapcar #'devstral-ls--work-line devstral-ls--progress)
                 ,(plist-get devstral-ls--status :message)
                 ,(plist-get devstral-ls--status :hint)
                 ,(and model (concat "model: " model))
                 ,(and latency (format "answers take %s ms, one in ten more than %s ms"
                                       (plist-get latency :p50) (plist-get latency :p90)))))
     "\n")))

(defun devstral-ls--work-line (work)
  "What the server does, WORK, a pair of its token and how far it is."
  (let ((title (plist-get (cdr work) :title))
        (said (plist-get (cdr work) :message))
        (percent (plist-get (cdr work) :percentage)))
    (concat (or title "working") (and said (concat ": " said)) (and percent (format ", %s%%" percent)))))

(defun devstral-ls-status ()
  "Say how the server and its model are."
  (interactive)
  (let ((lines (devstral-ls--status-lines)))
    (message "%s%s" (devstral-ls-status-text) (if (string-empty-p lines) "" (concat "\n" lines)))))

(defun devstral-ls-why ()
  "Say what became of the last request of this buffer, and why."
  (interactive)
  (let* ((server (devstral-ls--need-server))
         (trace (jsonrpc-request server :workspace/executeCommand
                                 (list :command "devstral.why"
                                       :arguments (vector (plist-get (devstral-ls--document server) :uri))))))
    (if (null trace) (message "devstral-ls: nothing was asked here yet")
      (with-help-window "*devstral-ls why*"
        (princ (devstral-ls--explained trace))))))

(defun devstral-ls--explained (trace)
  "TRACE, the answer to `devstral.why', as text for people.
First the server's sentence, or else its code for the reason, and
what to do about it; then the details."
  (let ((sentence (plist-get trace :sentence)) (hint (plist-get trace :hint)))
    (concat (or sentence (plist-get trace :reason)) "\n"
            (if hint (concat hint "\n") "")
            "\nDetails\n"
            (mapconcat (pcase-lambda (`(,name ,value)) (format "  %-16s %s\n" name value))
                       (devstral-ls--details trace) ""))))

(defun devstral-ls--details (trace)
  "The details of TRACE that are known: a list of names and values."
  (let ((confidence (plist-get trace :confidence)))
    (cl-remove-if-not
     #'cadr
     `(("reason" ,(plist-get trace :reason))
       ("model" ,(plist-get trace :model))
       ("from memory" ,(and (eq (plist-get trace :cached) t) "yes"))
       ("confidence" ,(and confidence (format "%s, needed %s" confidence (plist-get trace :minConfidence))))
       ("prompt layout" ,(plist-get trace :layout))
       ("excerpts" ,(devstral-ls--listed (plist-get trace :excerpts) "%s: %s"))
       ("done to it" ,(devstral-ls--nonempty (mapconcat #'identity (plist-get trace :decisions) ", ")))
       ,@(cl-loop for (name ms) on (plist-get trace :stages) by #'cddr
                  collect (list (substring (symbol-name name) 1) (format "%.1f ms" ms)))))))

(defun devstral-ls--listed (pairs form)
  "Names and values of the plist PAIRS, each written by FORM.
Nil if there are none."
  (devstral-ls--nonempty
   (string-join (cl-loop for (name value) on pairs by #'cddr
                         collect (format form (substring (symbol-name name) 1) value))
                ", ")))

(defun devstral-ls--nonempty (text)
  "TEXT, or nil if it is empty."
  (if (string-empty-p text) nil text))

(defvar devstral-ls--waking nil "The timer that ends a snooze.")

(defun devstral-ls--switch (command arguments)
  "Have the server run COMMAND with ARGUMENTS, a switch for suggestions.
Return whether they are on then."
  (let ((on (eq t (jsonrpc-request (devstral-ls--need-server) :workspace/executeCommand
                                   (list :command command :arguments arguments)))))
    (unless on (devstral-ls--clear))
    on))

(defun devstral-ls--set-inline (enable)
  "Switch automatic suggestions on, or off where ENABLE is `:json-false'."
  (devstral-ls--switch "devstral.setInline" (vector (list :enable enable))))

(defun devstral-ls--stay-awake ()
  "End a snooze before its time."
  (when devstral-ls--waking (cancel-timer devstral-ls--waking))
  (setq devstral-ls--waking nil))

(defun devstral-ls-toggle ()
  "Switch automatic suggestions off and on.
This is for all buffers of this session."
  (interactive)
  (devstral-ls--stay-awake)
  (message "devstral-ls: suggestions are %s"
           (if (devstral-ls--switch "devstral.toggleInline" []) "on" "off")))

(defun devstral-ls-snooze (minutes)
  "Switch automatic suggestions off for MINUTES.
Interactively, that is the prefix argument, or 10."
  (interactive (list (if current-prefix-arg (prefix-numeric-value current-prefix-arg) 10)))
  (devstral-ls--stay-awake)
  (devstral-ls--set-inline :json-false)
  (setq devstral-ls--waking (run-at-time (* 60 minutes) nil #'devstral-ls--wake))
  (message "devstral-ls: suggestions are off for %s minutes" minutes))

(defun devstral-ls--wake ()
  "End a snooze."
  (setq devstral-ls--waking nil)
  (when (devstral-ls--server)
    (devstral-ls--set-inline t)
    (message "devstral-ls: suggestions are on again")))

(defvar devstral-ls--disabled-languages nil
  "A list of one: the language ids without suggestions in this session.
Nil while nothing but `devstral-ls-settings' has a say.")

(defun devstral-ls-toggle-language ()
  "Switch suggestions for the language of this buffer off and on.
This is for all buffers of this session; the setting `inline.disabledLanguages'
is for good."
  (interactive)
  (unless (eq (devstral-ls--need-server) devstral-ls--own)
    (user-error "devstral-ls: Eglot runs the server; use `eglot-workspace-configuration'"))
  (let* ((language (devstral-ls--language))
         (all (devstral-ls--languages-off))
         (off (member language all)))
    (setq devstral-ls--disabled-languages (list (if off (remove language all) (cons language all))))
    (jsonrpc-notify devstral-ls--own :workspace/didChangeConfiguration (list :settings nil))
    (unless off (devstral-ls--clear))
    (message "devstral-ls: suggestions for %s are %s in this session" language (if off "on" "off"))))

(defun devstral-ls--languages-off ()
  "The language ids without suggestions."
  (if devstral-ls--disabled-languages (car devstral-ls--disabled-languages)
    (append (plist-get (plist-get devstral-ls-settings :inline) :disabledLanguages) nil)))

(defun devstral-ls--configuration (item)
  "The settings for ITEM of `workspace/configuration'.
These are the ones that were changed since the server started."
  (and devstral-ls--disabled-languages (equal (plist-get item :section) "devstral")
       (list :inline (list :disabledLanguages (vconcat (devstral-ls--languages-off))))))

(defun devstral-ls-restart-engine ()
  "Stop the model's process, for all editors, and start it again."
  (interactive)
  (devstral-ls--execute (devstral-ls--need-server) "devstral.restartEngine"))

(defun devstral-ls-restart ()
  "Start the server anew."
  (interactive)
  (devstral-ls--stop)
  (setq devstral-ls--trouble nil devstral-ls--deaths nil)
  (devstral-ls--start))

(defun devstral-ls-pull-model (name)
  "Fetch the model NAME of the catalog.
Suggestions begin when it is there."
  (interactive
   (list (completing-read "Model: " '("devstral-small-2507" "starter") nil nil nil nil "starter")))
  (compile (mapconcat #'shell-quote-argument (append devstral-ls-command (list "model" "pull" name)) " ")))

(defun devstral-ls-log ()
  "Show what the server wrote into its log."
  (interactive)
  (display-buffer (get-buffer-create "*devstral-ls log*")))

;;;; The mode

(defconst devstral-ls--hooks
  '((before-change-functions . devstral-ls--before-change)
    (after-change-functions . devstral-ls--after-change)
    (post-command-hook . devstral-ls--after-command)
    (after-save-hook . devstral-ls--saved)
    (kill-buffer-hook . devstral-ls--leave)
    (change-major-mode-hook . devstral-ls--leave)
    (clone-buffer-hook . devstral-ls--cloned)
    (clone-indirect-buffer-hook . devstral-ls--cloned)
    (window-selection-change-functions . devstral-ls--window-changed)
    (completion-in-region-mode-hook . devstral-ls--redraw)
    (company-completion-started-hook . devstral-ls--redraw)
    (company-after-completion-hook . devstral-ls--redraw)
    (flymake-diagnostic-functions . devstral-ls--flymake-backend))
  "What the mode does when, in its buffers.")

;;;###autoload
(define-minor-mode devstral-ls-mode
  "Show suggestions by a model on this machine as ghost text.
\\<devstral-ls-active-map>While one is visible,
\\[devstral-ls-accept] takes it, \\[devstral-ls-accept-word] its next word,
\\[devstral-ls-accept-line] its next line, \\[devstral-ls-dismiss] dismisses it."
  :lighter (:eval (devstral-ls--lighter))
  :keymap devstral-ls-mode-map
  (if devstral-ls-mode
      (progn
        (setq devstral-ls--tick (buffer-chars-modified-tick) devstral-ls--point (point))
        (pcase-dolist (`(,hook . ,function) devstral-ls--hooks) (add-hook hook function nil t))
        (if (devstral-ls--live devstral-ls--own) (devstral-ls--schedule) (devstral-ls--start)))
    (devstral-ls--leave)
    (pcase-dolist (`(,hook . ,function) devstral-ls--hooks) (remove-hook hook function t))))

(defun devstral-ls--leave ()
  "This buffer needs the server no more; the last one ends it."
  (devstral-ls--cancel)
  (devstral-ls--clear)
  (devstral-ls--close)
  (let ((this (current-buffer)))
    (unless (cl-some (lambda (buffer) (and (not (eq buffer this)) (buffer-local-value 'devstral-ls-mode buffer)))
                     (buffer-list))
      (run-at-time 1 nil #'devstral-ls--stop-unused))))

(defun devstral-ls--cloned ()
  "Forget what was copied from the buffer that this one is a clone of."
  (remove-overlays (point-min) (point-max) 'devstral-ls t)
  (setq devstral-ls--opened nil devstral-ls--changes nil devstral-ls--diagnostics nil devstral-ls--flymake nil
        devstral-ls--diagnosed nil devstral-ls--timer nil devstral-ls--request nil
        devstral-ls--shown nil devstral-ls--items nil devstral-ls--active nil))

(defun devstral-ls--stop-unused ()
  "End the server if no buffer is in need of it."
  (unless (cl-some (lambda (buffer) (buffer-local-value 'devstral-ls-mode buffer)) (buffer-list))
    (devstral-ls--stop)))

(defun devstral-ls--turn-on ()
  "Switch `devstral-ls-mode' on where code is written."
  (when (and (derived-mode-p 'prog-mode) (not (minibufferp))) (devstral-ls-mode)))

;;;###autoload
(define-globalized-minor-mode global-devstral-ls-mode devstral-ls-mode devstral-ls--turn-on
  :group 'devstral-ls)

(add-to-list 'emulation-mode-map-alists `((devstral-ls--active . ,devstral-ls-active-map)))
(add-hook 'kill-emacs-hook #'devstral-ls--stop)

;;;; Eglot and lsp-mode

(with-eval-after-load 'eglot
  (cl-defmethod eglot-client-capabilities :around (_server)
    "Announce inline completion, which Eglot itself does not know."
    (let* ((all (copy-sequence (cl-call-next-method)))
           (document (copy-sequence (plist-get all :textDocument))))
      (plist-put all :textDocument
                 (plist-put document :inlineCompletion (list :dynamicRegistration :json-false)))))
  (cl-defmethod eglot-handle-notification (_server (_method (eql devstral/status)) &rest status)
    "Keep the STATUS of a server that Eglot manages."
    (setq devstral-ls--status status)
    (force-mode-line-update t)))

(defun devstral-ls-register-lsp-mode ()
  "Have lsp-mode run devstral-ls beside a buffer's other servers.
Its version 10 and newer ones draw ghost text."
  (require 'lsp-mode)
  (lsp-register-client
   (make-lsp-client :new-connection (lsp-stdio-connection (lambda () devstral-ls-command))
                    :activation-fn (lambda (&rest _) (derived-mode-p 'prog-mode))
                    :initialization-options (lambda () (or devstral-ls-settings (make-hash-table)))
                    :server-id 'devstral-ls
                    :priority -5
                    :add-on? t)))

(provide 'devstral-ls)
;;; devstral-ls.el ends here
