"""What runs inside the sandbox, beside the code of strangers. Imports nothing of the service.

Nothing here protects the service: code in the sandbox may take over all of it. The service therefore
believes nothing that comes out of the pipe, and these modules keep no secret.
"""
