wrk.method = "POST"
wrk.body = '{"model":"prompt","messages":[{"role":"user","content":"hello there how are you"}],"max_tokens":64}'
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer k"
