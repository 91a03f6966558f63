// The chip's reset as a design asks for it, before place-and-route makes a GSR of it.
module SGSR (input GSR, CLK, output GSRN);
    GSR #(.SYNCMODE("SYNC")) gsr (.GSR(GSR), .CLK(CLK), .GSRN(GSRN));
endmodule
