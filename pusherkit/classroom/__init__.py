"""A class: everybody's requests on one wall, and who needs help in one trainer's view.

roster says whose key is whose, calls reads what learners' lessons send, learners holds what each
has done, and board what there is to see; they are pure. store keeps it, wall serves it, and doors
says who may look.
"""
