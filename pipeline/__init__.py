"""The series pipeline: messages, stream, features, model, forecasts, stores."""
