"""The stream's engine in AWS Lambda (docs/how-to/aws.md)."""
