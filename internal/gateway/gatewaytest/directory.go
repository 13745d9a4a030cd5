package gatewaytest

// directory is the short form of the two listings that describe the service itself.
func directory(name string) object {
	if name == "models" {
		return object{"object": "list", "data": []any{object{
			"model": "openai/gpt-5-mini", "name": "GPT-5 mini (emulated)", "status": "active", "input_types": []string{"text"},
			"output_types": []string{"text"}, "supported_params": []string{}, "supported_parameters": []string{},
			"providers": []any{object{"id": "openai"}}, "pricing": nil,
		}}}
	}
	modes := []any{}
	for _, endpoint := range []string{endpointResponses, endpointChat} {
		modes = append(modes, object{"endpoint": endpoint, "mode": "native"})
	}
	return object{"object": "list", "data": []any{object{
		"id": "openai", "name": "OpenAI (emulated)", "status": "active", "preview_readiness": "ready",
		"reconciliation_mode": "polling", "submission_recovery": "metadata", "endpoints": modes,
		"gateway_input_modes": []string{"file", "requests"}, "native_input_modes": []string{"file"},
		"documentation_url": nil, "notes": nil,
	}}}
}
