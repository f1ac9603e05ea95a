"""Things with the API of an OpenFlexure server v3, over whatever fills their gaps.

Addresses, names, inputs and outputs are those of the public 3.0.0-beta1; what takes the
pictures and turns the screws is brought by whoever derives from them: the microscope
without a server, and the simulated server.
"""
