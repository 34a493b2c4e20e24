"""Amazon Bedrock: ConverseStream, InvokeModelWithResponseStream, and what agents stream."""
