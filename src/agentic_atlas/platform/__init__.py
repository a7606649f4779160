"""The AgentOS Platform: the web pages people live in. Request, use case, typed view, template (docs/design/pages)."""
